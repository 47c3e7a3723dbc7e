"""What runs inside the container: the entrypoint's logic and the seeding of every Python process.

Another country: standard library only, Python 3.6 syntax, nothing imported from the host side. It is
``/opt/reprobox/reprobox_runtime`` in the image. Only built-in modules, and those that every interpreter has
loaded before ``site``, may be imported here: anything else would cost start-up time, and would hide a module of the
same name in the user's own folder.
"""
