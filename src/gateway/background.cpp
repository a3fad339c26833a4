// Core::go_on_in_background: a request whose client has its answer goes to the upstream after all, for the plugin that
// answered. It has a deadline at every step, as any request, and dies with the core.
#include "gateway/core.h"
#include "gateway/forward.h"
#include "gateway/response_body.h"
#include "gateway/serve.h"
#include "gateway/transaction.h"

namespace gateway {

namespace {

// Nothing of the answer that the client got may be taken for the upstream's.
void forget_answer(Transaction& transaction) {
    transaction.has_client = false;
    transaction.response.reset();
    transaction.response_text = {};
    transaction.client_headers.reset();
    transaction.is_from_cache = transaction.is_from_upstream = false;
    transaction.capture = nullptr;
    transaction.buffered_most = 0;
    transaction.tries = 0;
}

base::Task<void> ask_again(std::unique_ptr<Transaction> transaction) {
    forget_answer(*transaction);
    transaction->background->begin(*transaction);
    base::Result<void> result = co_await ask_upstream(*transaction);
    if (result && transaction->is_from_upstream && transaction->capture != nullptr) {
        transaction->buffered_most = transaction->capture->most;
        result = co_await read_response_body(*transaction);
    }
    if (!result) log_failure(*transaction, result.error());
    transaction->background->ended(*transaction, result ? nullptr : &result.error());
    // A body that nobody wanted, or that was too large, is left unread.
    finish_attempt(*transaction, result ? upstream::Outcome::cancelled : upstream::Outcome::failed);
    transaction.reset();  // the frame may stay until the next one begins
}

}  // namespace

void Core::go_on_in_background(std::unique_ptr<Transaction> transaction) {
    std::erase_if(in_background_, [](const base::Task<void>& task) { return task.is_done(); });
    bool is_servable = transaction->service != nullptr && !transaction->has_request_body();
    if (!is_servable || is_draining_ || in_background_.size() >= most_in_background) return;
    // Named first: a temporary in the call would be destroyed twice by some compilers (docs of base/task.h).
    base::Task<void> task = ask_again(std::move(transaction));
    in_background_.push_back(std::move(task));
    in_background_.back().start();
}

}  // namespace gateway
