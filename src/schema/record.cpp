#include "schema/record.h"

#include <fmt/format.h>

#include <algorithm>

namespace schema {

Record::Record(std::vector<std::unique_ptr<FieldInfo>> fields, Methods methods)
    : fields_(std::move(fields)), methods_(methods) {
    ensure(fields_.size() <= FieldSet().size(), fields_.size());
    std::shared_ptr<void> fresh = methods_.make();
    for (const auto& field : fields_) defaults_.push_back(field->default_json(fresh.get()));
}

std::size_t Record::index_of(std::string_view name) const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i]->rules().name == name) return i;
    }
    return fields_.size();
}

bool Record::read(void* object, const Node& node, Reader& reader, std::span<const std::string_view> also) const {
    if (!reader.expect(node, Kind::map, "a record")) return false;
    FieldSet given;
    FieldSet failed;
    bool good = true;
    for (const Member& member : node.members()) {
        if (reader.problems().errors() >= Problems::limit) return false;
        std::string_view key = member.key.text();
        std::size_t index = index_of(key);
        if (index == fields_.size()) {
            if (std::find(also.begin(), also.end(), key) != also.end()) continue;
            std::vector<std::string_view> known(also.begin(), also.end());
            for (const auto& field : fields_) known.push_back(field->rules().name);
            std::string_view near = nearest(key, known);
            Reader::Under under(reader, key);
            reader.problem(member.key.mark(), "unknown field",
                           near.empty() ? std::string("remove it") : fmt::format("did you mean '{}'?", near));
            good = false;
            continue;
        }
        if (member.value.is_null()) continue;  // null = unset
        given.set(index);
        Reader::Under under(reader, key);
        if (!fields_[index]->read(object, member.value, reader)) failed.set(index);
    }
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (!fields_[i]->rules().required || given[i]) continue;
        Reader::Under under(reader, fields_[i]->rules().name);
        reader.problem(node.mark(), "required field missing");
        failed.set(i);
    }
    std::size_t before = reader.problems().errors();
    if (methods_.verify != nullptr) {
        Checks checks(reader, *this, node, given, failed);
        methods_.verify(object, checks);
    }
    return good && failed.none() && reader.problems().errors() == before;
}

bool Record::check(const Node& node, Reader& reader) const {
    std::shared_ptr<void> object = methods_.make();
    return read(object.get(), node, reader);
}

}  // namespace schema
