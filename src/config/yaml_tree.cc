// SPDX-License-Identifier: Apache-2.0
// The only file that calls yaml-cpp, by its events: its own node tree unfolds nothing either, but
// knows no bounds. It throws; what it throws is caught here.
#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <sstream>
#include <unordered_set>

#include "config/config.h"

namespace varve::config {
namespace {

Place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1};
}

bool is_null_text(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

}  // namespace

Error error_at(std::string_view name, Place place, std::string_view message, ErrorCode code) {
  if (place.line == 0) return Error(code, fmt::format("{}: {}", name, message));
  return Error(code, fmt::format("{}:{}:{}: {}", name, place.line, place.column, message));
}

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return entry.value;
  }
  return nullptr;
}

// Receives the events of one document. After the first error it ignores the rest.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Tree& tree, std::string_view name) : tree_(tree), name_(name) {}

  std::optional<Error> error;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(Node::Kind::kNull, mark), anchor, 1, 0);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (error) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      fail(place_of(mark), "an alias may not stand inside what it refers to");
      return;
    }
    add(found->second.node, 0, found->second.nodes, found->second.bytes);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (error) return;
    const bool plain = tag == "?" || tag.empty();
    Node* node = make(plain && is_null_text(value) ? Node::Kind::kNull : Node::Kind::kScalar, mark);
    node->plain = plain;
    node->text = value;
    add(node, anchor, 1, value.size());
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::kSequence, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Anchor {
    const Node* node;
    std::size_t nodes;
    std::size_t bytes;
  };
  struct Open {
    Node* node;
    YAML::anchor_t anchor;
    std::size_t nodes = 1;
    std::size_t bytes = 0;
    const Node* key = nullptr;  // of a map, read and waiting for its value
    std::unordered_set<std::string> keys = {};
  };

  void fail(Place place, std::string_view message,
            ErrorCode code = ErrorCode::kInvalidArgument) {
    if (!error) error = error_at(name_, place, message, code);
  }

  Node* make(Node::Kind kind, const YAML::Mark& mark) {
    Node& node = tree_.nodes_->emplace_back();
    node.kind = kind;
    node.place = place_of(mark);
    return &node;
  }

  void open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (error) return;
    if (stack_.size() >= kDepthMax) {
      fail(place_of(mark), fmt::format("nested deeper than {} levels", kDepthMax),
           ErrorCode::kLimitExceeded);
      return;
    }
    stack_.push_back(Open{.node = make(kind, mark), .anchor = anchor});
  }

  void close() {
    if (error) return;
    Open done = std::move(stack_.back());
    stack_.pop_back();
    if (done.node->kind == Node::Kind::kMap) resolve_merges(done);
    add(done.node, done.anchor, done.nodes, done.bytes);
  }

  // Puts a finished node into what is open.
  void add(const Node* node, YAML::anchor_t anchor, std::size_t nodes, std::size_t bytes) {
    if (error) return;
    if (anchor != 0) anchors_[anchor] = {node, nodes, bytes};
    if (stack_.empty()) {
      tree_.root_ = node;
      return;
    }
    Open& parent = stack_.back();
    parent.nodes += nodes;
    parent.bytes += bytes;
    if (parent.nodes > kNodesMax || parent.bytes > kExpandedBytesMax) {
      fail(node->place, "the document is too large with its aliases unfolded",
           ErrorCode::kLimitExceeded);
    } else if (parent.node->kind == Node::Kind::kSequence) {
      parent.node->items.push_back(node);
    } else if (parent.key == nullptr) {
      if (node->kind == Node::Kind::kSequence || node->kind == Node::Kind::kMap) {
        fail(node->place, "a key must be a scalar");
      }
      parent.key = node;
    } else {
      add_entry(parent, *parent.key, node);
      parent.key = nullptr;
    }
  }

  void add_entry(Open& map, const Node& key, const Node* value) {
    const bool merge = key.text == "<<" && key.plain;
    if (!merge && !map.keys.insert(key.text).second) {
      fail(key.place, fmt::format("key \"{}\" already set in map", key.text));
    }
    map.node->entries.push_back({key.text, key.place, value});
  }

  // `<<: *defaults` adds the entries that the map does not have itself.
  void resolve_merges(Open& map) {
    std::vector<Node::Entry> own;
    std::vector<const Node*> merged;
    for (Node::Entry& entry : map.node->entries) {
      if (entry.key != "<<") {
        own.push_back(std::move(entry));
      } else if (entry.value->kind == Node::Kind::kSequence) {
        merged.insert(merged.end(), entry.value->items.begin(), entry.value->items.end());
      } else {
        merged.push_back(entry.value);
      }
    }
    map.node->entries = std::move(own);
    for (const Node* from : merged) {
      if (from->kind != Node::Kind::kMap) {
        fail(from->place, "map merge requires map or sequence of maps as the value");
        return;
      }
      for (const Node::Entry& entry : from->entries) {
        if (map.keys.insert(entry.key).second) map.node->entries.push_back(entry);
      }
    }
  }

  Tree& tree_;
  std::string_view name_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Anchor> anchors_;
};

Result<Tree> Tree::parse(std::string_view text, std::string_view name) {
  if (text.size() > kFileMaxBytes) {
    return error_at(name, {}, fmt::format("larger than {} bytes", kFileMaxBytes),
                    ErrorCode::kLimitExceeded);
  }
  Tree tree;
  TreeBuilder builder(tree, name);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) {
      tree.root_ = &tree.nodes_->emplace_back();
    } else if (!builder.error && parser.HandleNextDocument(builder) && !builder.error) {
      return error_at(name, {}, "only one document is allowed");
    }
  } catch (const YAML::Exception& e) {
    if (!builder.error) {
      return error_at(name, place_of(e.mark), fmt::format("yaml: {}", e.msg));
    }
  } catch (const std::exception& e) {
    return error_at(name, {}, fmt::format("yaml: {}", e.what()));
  }
  if (builder.error) return *std::move(builder.error);
  if (tree.root_ == nullptr) tree.root_ = &tree.nodes_->emplace_back();
  return tree;
}

}  // namespace varve::config
