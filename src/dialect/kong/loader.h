// Loader: one load() while it runs. It walks the files (loader.cpp), turns each entity into its place in the Document
// (translate.cpp), gives ids and holds uniqueness (identity.cpp), and binds references once everything is known.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dialect/kong/load.h"
#include "dialect/kong/reference.h"
#include "dialect/kong/registry.h"
#include "dialect/kong/upstream.h"

namespace kong {

[[nodiscard]] gateway::Protocols protocols_of(const schema::Set<std::string>& texts);
// Where a field was written; the entity's own place if it was not.
[[nodiscard]] schema::Mark mark_of(const schema::Node& node, std::string_view field);

class Loader {
  public:
    explicit Loader(const LoadOptions& options);
    Loader(const Loader&) = delete;
    ~Loader();
    LoadResult run(std::vector<schema::SourceFile> sources);

  private:
    enum class Version : std::uint8_t { v1_1, v2_1, v3_0 };
    // What one file says about all its entities.
    struct File {
        std::uint16_t number = 0;
        const schema::Node* root = nullptr;
        base::Arena* arena = nullptr;
        Version version = Version::v3_0;
        bool transform = true;
        std::vector<std::string> select_tags;
        const schema::Node* defaults = nullptr;
        const schema::Node* plugin_configs = nullptr;
    };
    // The entity that children are nested in.
    struct Parent {
        const EntityType* type = nullptr;
        base::Uuid id;
        gateway::Index index = gateway::none;
    };
    struct Entry {
        gateway::Index index = gateway::none;
        base::Uuid id;
        schema::Mark mark;
    };
    // A reference by name or id, bound at the end.
    struct Pending {
        const EntityType* from;
        gateway::Index index;  // of the entity that refers, in the list of its kind
        std::string_view field;
        EntityKind to;
        std::string text;
        schema::Mark mark;
        schema::Path path;
        std::string label;  // what Kong calls the entity that refers
    };
    struct LooseTarget {
        gateway::Target target;
        gateway::Index upstream = gateway::none;
    };
    struct LooseCredential {
        gateway::Credential credential;
        gateway::Index consumer = gateway::none;
        bool hash_password = false;  // once the consumer's id is known
    };
    struct Unserved {
        const EntityType* type;
        std::size_t count = 0;
        schema::Mark first;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    using Table = std::unordered_map<std::string, Entry, TextHash, std::equal_to<>>;

    // loader.cpp
    void read_header(File& file);
    void read_info(File& file, const schema::Node& info);
    void read_entities(File& file, EntityKind kind);
    void read_list(File& file, const EntityType& type, const schema::Node& list, const Parent& parent);
    void read_entity(File& file, const EntityType& type, const schema::Node& node, const Parent& parent);
    void read_children(File& file, const EntityType& type, const schema::Node& node, const Parent& self);
    schema::Node prepared(File& file, const EntityType& type, const schema::Node& node, const Parent& parent);
    void report_unserved();

    // translate.cpp: each answers the entity as a parent.
    Parent add_service(File& file, const schema::Node& node, const Parent& parent);
    Parent add_route(File& file, const schema::Node& node, const Parent& parent);
    Parent add_upstream(File& file, const schema::Node& node, const Parent& parent);
    Parent add_target(File& file, const schema::Node& node, const Parent& parent);
    Parent add_plugin(File& file, const schema::Node& node, const Parent& parent);
    Parent add_consumer(File& file, const schema::Node& node, const Parent& parent);
    Parent add_consumer_group(File& file, const schema::Node& node, const Parent& parent);
    template <typename Entity>
    Parent add_credential(File& file, EntityKind kind, const schema::Node& node, const Parent& parent);
    template <typename Entity>
    Parent add_plain(File& file, EntityKind kind, const schema::Node& node, const Parent& parent);
    Parent add_vault(File& file, const schema::Node& node, const Parent& parent);
    void add_members(const schema::Node& list, EntityKind of, const Parent& self);
    void check_plugin(const struct Plugin& plugin, const schema::Node& node, const schema::Node* config,
                      const Parent& parent);
    // Settings under older names moved to where they are now; the same node if there are none.
    const schema::Node* with_new_names(File& file, std::string_view plugin, const schema::Node& config);
    // `ordering`: {before|after: {access: [names]}}.
    std::vector<std::string> ordering_of(const schema::Node* ordering, std::string_view side);
    void check_service_served(const struct Service& service, const schema::Node& node);
    void check_upstream_served(const struct Upstream& upstream, const schema::Node& node);
    template <typename Entity>
    bool read(File& file, EntityKind kind, const schema::Node& node, Entity& entity);
    [[nodiscard]] bool plugin_is_served(std::string_view name) const;
    std::string made_up();

    // identity.cpp
    // `key`: Kong's derivation of the id, may be empty. `unique`: that key is declared as a field of its own.
    base::Uuid identify(const EntityType& type, const std::optional<base::Uuid>& given, const std::string& key,
                        bool unique, const schema::Node& node, const Parent& parent, gateway::Index index);
    void declare(const EntityType& type, std::string_view field, std::string_view value, const schema::Node& node,
                 const Entry& entry);
    // The index of a reference to a parent: that of the nesting, or none and a pending one.
    gateway::Index bind(const EntityType& type, const ForeignKey& key, const Reference& reference,
                        const schema::Node& node, const Parent& parent, gateway::Index self, std::string_view label);
    void bind_pending();
    void attach(const Pending& pending, const Entry& found);
    void finish();
    [[nodiscard]] std::string id_part(const Parent& parent, EntityKind kind, const Reference& reference) const;

    const LoadOptions& options_;
    std::size_t merge_budget_;
    LoadResult result_;
    schema::Reader reader_;
    Vaults vaults_;
    std::map<EntityKind, Table> names_;  // "field=value"
    std::map<EntityKind, Table> ids_;
    std::map<EntityKind, gateway::Index> counts_;
    std::vector<Pending> pending_;
    std::vector<LooseTarget> targets_;
    std::vector<LooseCredential> credentials_;
    std::map<std::string_view, Unserved> unserved_;
};

template <typename Entity>
bool Loader::read(File& file, EntityKind kind, const schema::Node& node, Entity& entity) {
    bool good = schema::record_of<Entity>().read(&entity, node, reader_, other_keys(kind));
    for (const std::string& tag : file.select_tags) {
        if (std::find(entity.tags.begin(), entity.tags.end(), tag) == entity.tags.end()) entity.tags.push_back(tag);
    }
    return good;
}

}  // namespace kong
