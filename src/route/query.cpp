#include "route/query.h"

#include "http/headers.h"

namespace route {

HeaderFields header_fields(const http::Headers& headers) {
    return {&headers, headers.size(),
            [](const void* fields, std::size_t index, std::string_view& name, std::string_view& value) {
                const http::Header& header = (*static_cast<const http::Headers*>(fields))[index];
                name = header.name;
                value = header.value;
            }};
}

}  // namespace route
