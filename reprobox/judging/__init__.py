"""A stranger's bundle, judged: is it what it says, and does it give what it claims?"""
