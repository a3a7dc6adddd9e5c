# The types of pieces.py's compiled form.


cpdef object length(object piece)
cpdef object total(list pieces)
