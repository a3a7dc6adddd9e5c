# A number in decimal, inlined where heads, frames and texts are written.
cdef inline int write_digits(char *text, int end, long long number) noexcept nogil:
    """Write the number so that it ends before text[end], which takes 20 bytes at the most; where it begins."""
    cdef unsigned long long left = <unsigned long long> number if number >= 0 else 0 - <unsigned long long> number
    while True:
        end -= 1
        text[end] = <char> (48 + <int> (left % 10))
        left //= 10
        if left == 0:
            break
    if number < 0:
        end -= 1
        text[end] = b"-"
    return end
