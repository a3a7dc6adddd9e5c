# The types of pieces.py's compiled form.


cpdef object length(object piece)
cpdef object in_files(list pieces)
cpdef object total(list pieces)
