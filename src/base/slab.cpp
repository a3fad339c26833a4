#include "base/slab.h"

namespace base {

void* Slab::allocate_slow(std::size_t size) {
    constexpr std::size_t chunk_size = 256 * 1024;
    std::size_t rounded = (size + grain - 1) / grain * grain;
    if (rounded == 0) rounded = grain;
    if (chunk_left_ < rounded) {
        // What is left of the old chunk is at most one object; it stays unused.
        chunk_ = static_cast<char*>(checked(std::aligned_alloc(grain, chunk_size)));
        chunk_left_ = chunk_size;
    }
    void* out = chunk_;
    chunk_ += rounded;
    chunk_left_ -= rounded;
    return out;
}

}  // namespace base
