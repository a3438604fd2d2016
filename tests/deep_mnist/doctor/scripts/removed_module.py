# expect: unusable to_categorical
from keras.utils.np_utils import to_categorical

print(to_categorical([1], 10))
