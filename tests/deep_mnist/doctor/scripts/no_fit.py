# expect: unusable no.call
print("nothing to see")
