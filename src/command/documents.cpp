#include "command/documents.h"

#include <algorithm>
#include <filesystem>

namespace command {

namespace fs = std::filesystem;

base::Result<std::vector<std::string>> document_files(const gateway::Settings& settings) {
    std::vector<std::string> out;
    for (const std::string& given : settings.documents) {
        std::error_code error;
        if (!fs::is_directory(given, error)) {
            out.push_back(given);
            continue;
        }
        std::vector<std::string> inside;
        for (fs::directory_iterator entry(given, error), end; !error && entry != end; entry.increment(error)) {
            std::string extension = entry->path().extension().string();
            bool is_hidden = entry->path().filename().string().starts_with('.');
            if (!is_hidden && (extension == ".yml" || extension == ".yaml" || extension == ".json"))
                inside.push_back(entry->path().string());
        }
        if (error) return base::Error::us(base::Code::invalid, given + ": " + error.message());
        if (inside.empty())
            return base::Error::us(base::Code::invalid, given + ": the folder has no .yaml, .yml or .json file");
        std::sort(inside.begin(), inside.end());
        out.insert(out.end(), inside.begin(), inside.end());
    }
    return out;
}

base::Result<std::vector<schema::SourceFile>> read_documents(const gateway::Settings& settings) {
    std::vector<schema::SourceFile> out;
    TRY(files, document_files(settings));
    for (const std::string& file : files) {
        TRY(source, schema::read_file(file, {}));
        out.push_back(std::move(source));
    }
    if (!settings.document_text.empty()) out.push_back({"declarative_config_string", settings.document_text});
    if (out.empty())
        return base::Error::us(base::Code::invalid,
                               "no document: name one (cardea run FILE) or set declarative_config in the settings");
    return out;
}

}  // namespace command
