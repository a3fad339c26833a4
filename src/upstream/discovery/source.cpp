#include "upstream/discovery/source.h"

#include <algorithm>

#include "observe/log.h"
#include "upstream/discovery/consul.h"
#include "upstream/discovery/target_list.h"

namespace upstream {

Source::Source(SourceSpec spec, std::uint64_t seed)
    : spec_(std::move(spec)), random_(seed), file_(is_file() ? spec_.place : std::string()) {}

net::FetchRequest Source::ask(net::Instant now) {
    began_ = now;
    due_ = net::never;
    if (spec_.type == SourceType::consul) return consul::question(spec_, index_);
    net::FetchRequest out;
    out.url = spec_.place;
    out.limits.bytes = most_list_bytes;
    out.limits.whole = net::Milliseconds(10'000);
    out.wanted = {"ETag"};
    out.limits.fields.emplace_back("Accept: application/json");
    if (!etag_.empty()) out.limits.fields.push_back("If-None-Match: " + etag_);
    if (!spec_.token.empty()) {
        out.limits.fields.push_back("Authorization: Bearer " + spec_.token);
        out.limits.redirects = 0;  // it would go along
    }
    return out;
}

bool Source::answered(base::Result<net::FetchAnswer> answer, net::Instant now, std::int64_t wall_now) {
    if (!answer) return failed(answer.error().detail, now, wall_now);
    return spec_.type == SourceType::consul ? take_consul(*answer, now, wall_now) : take_http(*answer, now, wall_now);
}

bool Source::take_consul(const net::FetchAnswer& answer, net::Instant now, std::int64_t wall_now) {
    auto instances = consul::instances(answer, spec_.passing_only);
    if (!instances) {
        index_ = 0;  // what it stands for was not taken
        return failed(instances.error().detail, now, wall_now);
    }
    index_ = consul::next_index(answer, index_);
    // An agent that answers at once, again and again, gets no more than so many questions.
    due_ = std::max(now, net::after(began_, spread(shortest_pause)));
    return take(std::move(instances->targets), std::move(instances->left_out), wall_now);
}

bool Source::take_http(const net::FetchAnswer& answer, net::Instant now, std::int64_t wall_now) {
    due_ = net::after(now, spread(spec_.interval));
    if (answer.status == 304 && found_->targets) return take(*found_->targets, {}, wall_now);
    if (answer.status != 200) return failed("status " + std::to_string(answer.status), now, wall_now);
    auto list = parse_target_list(answer.body, ListForm::json, spec_.place.substr(0, spec_.place.find_first_of("?#")));
    if (!list) {
        etag_.clear();
        return failed(list.error().detail, now, wall_now);
    }
    std::string_view etag = answer.header("ETag");
    etag_ = etag.size() <= 1024 ? etag : std::string_view();
    return take(std::move(*list), {}, wall_now);
}

bool Source::look(net::Instant now, std::int64_t wall_now) {
    due_ = net::after(now, file_check);
    bool is_first = !found_->targets && found_->fault.empty();
    bool has_changed = file_.has_changed();
    // Half a list may look like a whole one: who writes in place is given the time between two looks.
    bool is_read = is_first || (is_settling_ && !has_changed);
    is_settling_ = has_changed && !is_first;
    if (!is_read) return false;
    std::string text = file_.text(most_list_bytes + 1);
    ListForm form = spec_.place.ends_with(".json") ? ListForm::json : ListForm::yaml;
    auto list = text.empty() ? base::Result<std::vector<Target>>(
                                   base::Error::us(base::Code::invalid, spec_.place + ": missing, unreadable or empty"))
                             : parse_target_list(text, form, spec_.place);
    if (list) return take(std::move(*list), {}, wall_now);
    bool is_news = failed(list.error().detail, now, wall_now);
    due_ = net::after(now, file_check);
    return is_news;
}

bool Source::take(std::vector<Target> targets, std::string left_out, std::int64_t wall_now) {
    bool is_back = !status_.fault.empty();
    if (is_back || !status_.is_known) status_.since = wall_now;
    if (is_back)
        observe::log(observe::Level::notice, "discovery", "the source answers again", {{"source", spec_.text()}});
    if (!left_out.empty() && left_out != status_.left_out)
        observe::log(observe::Level::warn, "discovery", "not all of it can be used",
                     {{"source", spec_.text()}, {"reason", left_out}});
    retry_ = {};
    status_.is_known = true;
    status_.fault.clear();
    status_.left_out = std::move(left_out);
    status_.targets = targets.size();
    if (found_->targets == targets && found_->fault.empty()) return false;
    if (found_->targets != targets) {
        ++status_.changes;
        observe::log(observe::Level::notice, "discovery", "other targets",
                     {{"source", spec_.text()}, {"targets", targets.size()}});
    }
    found_ = std::make_shared<const Found>(Found{std::move(targets), {}});
    return true;
}

bool Source::failed(std::string why, net::Instant now, std::int64_t wall_now) {
    ++status_.failures;
    retry_ = retry_.count() == 0 ? first_retry : std::min(2 * retry_, longest_retry);
    due_ = net::after(now, spread(retry_));
    if (status_.fault.empty()) status_.since = wall_now;
    // Once for a failure; but each fault that somebody writes into a file is theirs to see.
    if (status_.fault.empty() || (is_file() && status_.fault != why))
        observe::log(observe::Level::error, "discovery",
                     found_->targets ? "the source cannot be used: the targets it said last stay"
                                     : "the source cannot be used, and has said no targets yet",
                     {{"source", spec_.text()}, {"reason", why}});
    status_.fault = why;
    bool is_news = found_->fault.empty();
    found_ = std::make_shared<const Found>(Found{found_->targets, std::move(why)});
    return is_news;
}

// Up to a quarter less, so that many do not keep step.
net::Milliseconds Source::spread(net::Milliseconds pause) {
    auto quarter = static_cast<std::uint32_t>(pause.count() / 4);
    return pause - net::Milliseconds(random_.below(quarter + 1));
}

}  // namespace upstream
