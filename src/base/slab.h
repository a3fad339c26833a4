// Slab: memory for small objects and coroutine frames of one thread, in size classes. Freed memory is kept hot in a
// free list and never returned to the system (page faults and trimming cost more than the request, see
// docs/performance.md). An object is freed on the thread that allocated it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CARDEA_PLAIN_MALLOC 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CARDEA_PLAIN_MALLOC 1
#endif

namespace base {

class Slab {
  public:
    static constexpr std::size_t grain = 64;
    static constexpr std::size_t largest = 8192;

    static void* allocate(std::size_t size) {
#ifdef CARDEA_PLAIN_MALLOC
        return checked(std::malloc(size));
#else
        if (size > largest) return checked(std::malloc(size));
        Free*& list = lists_[(size + grain - 1) / grain];
        if (list == nullptr) return allocate_slow(size);
        Free* taken = list;
        list = taken->next;
        return taken;
#endif
    }
    static void free(void* memory, std::size_t size) {
#ifdef CARDEA_PLAIN_MALLOC
        (void)size;
        std::free(memory);
#else
        if (size > largest) return std::free(memory);
        Free*& list = lists_[(size + grain - 1) / grain];
        list = new (memory) Free{list};
#endif
    }

  private:
    struct Free {
        Free* next;
    };
    static void* checked(void* memory) {
        if (memory == nullptr) throw std::bad_alloc();
        return memory;
    }
    static void* allocate_slow(std::size_t size);
    static thread_local constinit inline std::array<Free*, largest / grain + 1> lists_{};
    static thread_local constinit inline char* chunk_ = nullptr;
    static thread_local constinit inline std::size_t chunk_left_ = 0;
};

// Gives a class its place in the slab: struct X : SlabAllocated<X>.
template <typename Self>
struct SlabAllocated {
    static void* operator new(std::size_t size) { return Slab::allocate(size); }
    static void operator delete(void* memory, std::size_t size) { Slab::free(memory, size); }
};

}  // namespace base
