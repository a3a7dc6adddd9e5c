from gateway._fast.hpack cimport Decoder
from gateway._fast.http1_response cimport ResponseHead


cpdef ResponseHead answer_head(Decoder decoder, bint over, bint sizes_none=*)
cpdef list answer_trailers(Decoder decoder)
