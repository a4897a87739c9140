/// Words that Swift, Kotlin, TypeScript or Dart keep for themselves everywhere: a generator gives
/// what has such a name another one, each generator a different one.
const RESERVED: [&str; 83] = [
    "as", "assert", "associatedtype", "break", "case", "catch", "class", "const", "continue",
    "debugger", "default", "defer", "deinit", "delete", "do", "else", "enum", "export", "extends",
    "extension", "fallthrough", "false", "fileprivate", "final", "finally", "for", "fun", "func",
    "function", "guard", "if", "implements", "import", "in", "init", "inout", "instanceof",
    "interface", "internal", "is", "let", "new", "nil", "null", "object", "operator", "package",
    "precedencegroup", "private", "protected", "protocol", "public", "repeat", "rethrow",
    "rethrows", "return", "self", "static", "struct", "subscript", "super", "switch", "this",
    "throw", "throws", "true", "try", "typealias", "typeof", "val", "var", "void", "when", "where",
    "while", "with", "yield", "any", "async", "await", "dynamic", "library", "mixin",
];

/// Whether one of the languages keeps the word for itself.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}
