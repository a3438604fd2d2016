"""A call and what is found in it, in the words of its program: names, lines, the pipeline that it stands in."""
