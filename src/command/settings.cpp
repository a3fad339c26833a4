#include "command/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "command/settings_sources.h"
#include "command/settings_table.h"
#include "observe/access_log.h"

namespace command {

namespace {
using schema::Severity;
constexpr std::size_t longest_file = 16 << 20;  // of a settings file and of an error template
constexpr View mask = "***";

base::Result<std::string> read_from_disk(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return base::Error::us(base::Code::invalid, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    std::string out(longest_file + 1, '\0');
    in.read(out.data(), static_cast<std::streamsize>(out.size()));
    if (in.bad() || in.gcount() < 0) return base::Error::us(base::Code::invalid, fmt::format("cannot read {}", path));
    out.resize(static_cast<std::size_t>(in.gcount()));
    if (out.size() > longest_file)
        return base::Error::us(base::Code::too_large, fmt::format("{} is larger than {} bytes", path, longest_file));
    return out;
}

class Loading {
  public:
    explicit Loading(const SettingsInput& input) : input_(input) {
        read_file_ = input.read_file ? input.read_file : read_from_disk;
    }

    LoadedSettings run() {
        collect();
        find_log_formats();
        for (Assignment& assignment : sources_.assignments)
            if (resolve_vault(assignment)) consider(assignment);
        apply_winners();
        check_together();
        return finish();
    }

  private:
    void collect() {
        if (input_.file) {
            auto text = read_file_(*input_.file);
            if (text)
                read_settings_file(*input_.file, *text, sources_);
            else
                sources_.problem(Severity::error, sources_.mark(*input_.file), "", text.error().detail);
        }
        read_environment(input_.environment, sources_);
        read_set_options(input_.set, sources_);
        read_flags(input_.flags, sources_);
    }

    void find_log_formats() {
        std::vector<std::pair<std::string, std::string>> formats;
        translate_nginx_directives(sources_, formats);
        for (auto& [name, text] : formats) log_formats_[std::move(name)] = std::move(text);
    }

    // `{vault://env/my-name}` is the variable MY_NAME (kong.md 1.7). False: it could not be resolved, and that was
    // said.
    bool resolve_vault(Assignment& assignment) {
        constexpr View start = "{vault://";
        View value = assignment.value;
        if (!value.starts_with(start) || !value.ends_with('}')) return true;
        View reference = value.substr(start.size(), value.size() - start.size() - 1);
        auto fail = [&](std::string message) {
            sources_.problem(Severity::error, assignment.value_mark, assignment.name, std::move(message));
            return false;
        };
        if (!reference.starts_with("env/")) return fail("only {vault://env/NAME} is served in settings");
        std::string name(reference.substr(4));
        if (name.find_first_of("/?#") != name.npos)
            return fail("only {vault://env/NAME} is served in settings, without a key or options");
        for (char& letter : name)
            letter = letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
        for (const auto& [variable, content] : input_.environment) {
            if (variable != name) continue;
            assignment.value = content;
            from_vault_.push_back(assignment.name);
            return true;
        }
        return fail(fmt::format("the variable {} is not set", name));
    }

    // Checks one assignment, whether it wins or not, and remembers it if it is the strongest of its name so far.
    void consider(const Assignment& assignment) {
        const Setting* setting = find_setting(assignment.name);
        if (setting == nullptr) setting = find_setting_family(assignment.name);
        if (setting == nullptr) return unknown(assignment);
        if (setting->standing == Standing::served) {
            SettingsTarget scratch = target();
            if (auto applied = setting->apply(scratch, assignment.value); !applied) {
                std::string shown =
                    setting->secret || assignment.value.empty() ? "" : fmt::format("`{}`: ", assignment.value);
                sources_.problem(Severity::error, assignment.value_mark, assignment.name,
                                 shown + applied.error().detail);
                return;
            }
        } else if (!is_default(*setting, assignment.value)) {
            if (setting->standing == Standing::refused)
                sources_.problem(Severity::error, assignment.name_mark, assignment.name, std::string(setting->help),
                                 "A setting that protects something is never ignored: take it out, or leave the task "
                                 "to something in front.");
            if (setting->standing == Standing::unserved)
                sources_.problem(Severity::warning, assignment.name_mark, assignment.name,
                                 fmt::format("ignored: {}", setting->help));
        }
        auto [winner, is_first] = winners_.emplace(assignment.name, &assignment);
        if (!is_first && assignment.origin >= winner->second->origin) winner->second = &assignment;
    }

    static bool is_default(const Setting& setting, View value) {
        auto plain = [](View text) {
            std::string out = lower(text);
            std::erase_if(out, [](char letter) { return letter == ' ' || letter == ','; });
            return out;
        };
        return value.empty() || plain(value) == plain(setting.fallback) ||
               (setting.fallback == "off" && plain(value) == "false");
    }

    void unknown(const Assignment& assignment) {
        std::vector<View> names;
        for (const Setting& setting : settings_table()) names.push_back(setting.name);
        // Problems beyond the limit are not shown, so they need no hint.
        bool is_shown = sources_.problems.errors() < schema::Problems::limit;
        View near = is_shown ? schema::nearest(assignment.name, names) : View();
        std::string hint = near.empty() ? "" : fmt::format("Did you mean {}?", near);
        bool is_variable = assignment.origin == Origin::kong_variable || assignment.origin == Origin::cardea_variable;
        // An environment is shared with others, a file and a command line are not.
        sources_.problem(is_variable ? Severity::warning : Severity::error, assignment.name_mark,
                         is_variable ? std::string() : assignment.name,
                         is_variable ? "no setting has this name; ignored" : "unknown setting", std::move(hint));
    }

    [[nodiscard]] SettingsTarget target() const {
        SettingsTarget out;
        out.read_file = &read_file_;
        out.log_formats = log_formats_;
        return out;
    }

    // Weak origins first, so that where two settings meet (a format in proxy_access_log, access_log_format) the
    // stronger one counts.
    void apply_winners() {
        target_ = target();
        std::vector<std::pair<const Setting*, const Assignment*>> order;
        for (const Setting& setting : settings_table())
            if (auto winner = winners_.find(setting.name);
                winner != winners_.end() && setting.standing == Standing::served)
                order.emplace_back(&setting, winner->second);
        std::sort(order.begin(), order.end(), [](const auto& one, const auto& other) {
            return std::pair(one.second->origin, one.first) < std::pair(other.second->origin, other.first);
        });
        for (const auto& [setting, assignment] : order) {
            // It was applied once already; a file that a value names may be gone since.
            if (auto applied = setting->apply(target_, assignment->value); !applied)
                sources_.problem(Severity::error, assignment->value_mark, assignment->name, applied.error().detail);
        }
        make_absolute(target_.settings.logs.error);
        make_absolute(target_.settings.logs.access);
        make_absolute(target_.settings.logs.admin_access);
        make_absolute(target_.settings.pid_file);
        for (std::string& path : target_.settings.ssl_certificates) make_absolute(path);
        for (std::string& path : target_.settings.ssl_keys) make_absolute(path);
    }

    void make_absolute(std::string& path) const {
        if (!path.empty() && path != "off" && path[0] != '/') path = target_.settings.prefix + "/" + path;
    }

    void warn(View name, std::string message) {
        auto winner = winners_.find(name);
        schema::Mark mark = winner == winners_.end() ? sources_.mark("default") : winner->second->value_mark;
        sources_.problem(Severity::warning, mark, std::string(name), std::move(message));
    }

    // What is only visible over several settings, and what is legal but rarely meant.
    void check_together() {
        const gateway::Settings& settings = target_.settings;
        auto everybody = [](const net::Cidr& block) {
            std::array<std::uint8_t, 16> last{};
            last.fill(0xff);
            bool is_every_v4 = block.contains(net::IpAddress::v4(0)) && block.contains(net::IpAddress::v4(0xffffffff));
            return is_every_v4 || (block.contains(net::IpAddress::v6({})) && block.contains(net::IpAddress::v6(last)));
        };
        if (std::any_of(settings.trusted_ips.begin(), settings.trusted_ips.end(), everybody))
            warn("trusted_ips", "every client is trusted: anybody may claim any address");
        for (const auto& listen : settings.admin_listen)
            if (!listen.address.ip.is_v4() ? listen.address.ip.text() != "::1" : listen.address.ip.as_v4() >> 24 != 127)
                warn("admin_listen",
                     fmt::format("{} can be reached from other machines, and shows status and metrics to all of them",
                                 listen.address.text()));
        const auto& message = settings.limits.message;
        if (message.header_bytes < message.header_line)
            warn("limit_header_bytes", "smaller than limit_header_line, which therefore never counts");
        if (!settings.documents.empty() && !settings.document_text.empty())
            sources_.problem(Severity::error, winners_.at("declarative_config_string")->name_mark,
                             "declarative_config_string", "declarative_config is set too; one document only");
        if (settings.ssl_certificates.size() != settings.ssl_keys.size())
            sources_.problem(Severity::error, sources_.mark("ssl_cert"), "ssl_cert",
                             "ssl_cert and ssl_cert_key must name as many files");
        if ((settings.tls.suite == net::tls::CipherSuite::custom) == settings.tls.ciphers.empty())
            sources_.problem(Severity::error, sources_.mark("ssl_ciphers"), "ssl_ciphers",
                             "goes with ssl_cipher_suite custom, and only with it");
        if (settings.tls.suite == net::tls::CipherSuite::modern && !settings.tls.has_tls13)
            sources_.problem(Severity::error, sources_.mark("ssl_protocols"), "ssl_protocols",
                             "ssl_cipher_suite modern is TLSv1.3");
        check_proxied();
        check_ports();
    }

    void check_proxied() {
        const gateway::Settings& settings = target_.settings;
        bool has_any = std::any_of(settings.proxy_listen.begin(), settings.proxy_listen.end(),
                                   [](const gateway::ListenAddress& listen) { return listen.proxied; });
        if (has_any && settings.trusted_ips.empty())
            sources_.problem(
                Severity::error, sources_.mark("proxy_listen"), "proxy_listen",
                "with the flag proxy_protocol only proxies of trusted_ips may connect, and there are none");
        if (!has_any && settings.has_proxied_clients())
            warn("real_ip_header", "no address of proxy_listen has the flag proxy_protocol, so it never counts");
    }

    void check_ports() {
        const gateway::Settings& settings = target_.settings;
        std::map<std::string, View> seen;
        for (auto [name, list] : {std::pair(View("proxy_listen"), &settings.proxy_listen),
                                  {"admin_listen", &settings.admin_listen},
                                  {"status_listen", &settings.status_listen}})
            for (const auto& listen : *list) {
                auto [earlier, is_new] = seen.emplace(listen.address.text(), name);
                if (is_new || earlier->second == name || listen.address.port == 0) continue;
                auto winner = winners_.find(name);
                sources_.problem(
                    Severity::error, winner == winners_.end() ? sources_.mark("default") : winner->second->value_mark,
                    std::string(name), fmt::format("{} is taken by {}", listen.address.text(), earlier->second));
            }
    }

    LoadedSettings finish() {
        LoadedSettings out;
        for (const Setting& setting : settings_table()) {
            auto winner = winners_.find(setting.name);
            if (winner != winners_.end())
                out.values.push_back(value_of(setting, *winner->second));
            else if (setting.standing == Standing::served)
                out.values.push_back(
                    {std::string(setting.name), std::string(setting.fallback), Origin::built_in, "default", ""});
        }
        for (const auto& [name, assignment] : winners_)
            if (find_setting(name) == nullptr) out.values.push_back(value_of(*find_setting_family(name), *assignment));
        out.settings = std::move(target_.settings);
        out.problems = std::move(sources_.problems);
        out.sources = std::move(sources_.names);
        return out;
    }

    SettingValue value_of(const Setting& setting, const Assignment& assignment) {
        bool is_hidden =
            setting.secret || std::find(from_vault_.begin(), from_vault_.end(), assignment.name) != from_vault_.end();
        std::string value = is_hidden && !assignment.value.empty() ? std::string(mask) : assignment.value;
        std::string remark = setting.standing == Standing::served ? "" : fmt::format("no effect: {}", setting.help);
        return {assignment.name, std::move(value), assignment.origin, assignment.source, std::move(remark)};
    }

    const SettingsInput& input_;
    SettingsInput::ReadFile read_file_;
    SettingsSources sources_;
    std::map<std::string, std::string, std::less<>> log_formats_;
    std::map<std::string, const Assignment*, std::less<>> winners_;
    std::vector<std::string> from_vault_;
    SettingsTarget target_;
};
}  // namespace

LoadedSettings load_settings(const SettingsInput& input) { return Loading(input).run(); }

std::vector<std::pair<std::string, std::string>> process_environment() {
    std::vector<std::pair<std::string, std::string>> out;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        View entry = *at;
        if (std::size_t equals = entry.find('='); equals != View::npos)
            out.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
    }
    return out;
}

std::optional<std::string> find_settings_file(const std::optional<std::string>& given) {
    if (given) return given;
    for (const char* path : {"/etc/cardea/cardea.conf", "/etc/kong/kong.conf"})
        if (::access(path, F_OK) == 0) return path;
    return std::nullopt;
}

}  // namespace command
