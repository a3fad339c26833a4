// Which files make up the configuration, and reading them. A folder stands for the YAML and JSON files in it, by name.
#pragma once

#include <string>
#include <vector>

#include "gateway/settings.h"
#include "schema/source.h"

namespace command {

// Files of the settings' documents, folders replaced by what is in them now.
base::Result<std::vector<std::string>> document_files(const gateway::Settings& settings);
// The bytes of all of them, and of declarative_config_string.
base::Result<std::vector<schema::SourceFile>> read_documents(const gateway::Settings& settings);

}  // namespace command
