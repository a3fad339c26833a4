// `cardea run`: the process from its settings to its end. The calling thread becomes the control thread: it loads and
// publishes documents, listens to signals and watched files, drains and stops.
#pragma once

#include <string>
#include <vector>

#include "command/settings.h"
#include "dialect/kong/load.h"
#include "gateway/server.h"

namespace command {

// What this version serves of Kong's documents, with this process's environment.
[[nodiscard]] kong::LoadOptions load_options(const gateway::Settings& settings);

// What the process before us left in the environment; taken out before the settings look at it.
struct Inheritance {
    std::vector<gateway::InheritedListener> listeners;
    int predecessor = -1;
};
[[nodiscard]] Inheritance take_inheritance();

// `arguments` are those of main(), for a successor (SIGUSR2). Answers the exit code.
int run(const LoadedSettings& loaded, Inheritance inheritance, char** arguments);

}  // namespace command
