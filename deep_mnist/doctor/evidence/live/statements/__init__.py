"""Statements of a program written anew as fixes: the line of a call, of compile(), in the program's own names."""
