//! The schema as the schema's own sources tell it.
//! In: `src/schema`, in the notation of `per::notation`. Out: a [`Schema`]; lists of all members and alternatives
//! there are.
//!
//! The macros make types, decoders and encoders of the notation, and no data; so this reads it a
//! second time, which is also a second opinion: a constraint that a decoder forgot shows here.
//! Not here: arbitrary values of its types (`maker`).

mod maker;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

pub use maker::{Maker, Taste, hex};

/// A type by module and name.
pub use super::roots::Name;

/// `List<1, 256, Int<0, 7>>`, `[u8; 16]`, `h235::ClearToken`, `16`.
#[derive(Clone, Debug, PartialEq)]
struct Expression {
    name: String,
    arguments: Vec<Expression>,
}

/// A member of a SEQUENCE or an alternative of a CHOICE.
#[derive(Clone, Debug)]
pub struct Line {
    /// As the standard spells it.
    pub name: String,
    optional: bool,
    /// Behind the extension mark.
    addition: bool,
    /// None for a NULL alternative.
    ty: Option<Expression>,
    codec: Option<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Sequence,
    Choice,
    Enumerated,
    /// SEQUENCE OF by a name of its own; its only line is that of the elements.
    List,
}

#[derive(Clone, Debug)]
struct Definition {
    form: Form,
    lines: Vec<Line>,
    extensible: bool,
}

/// All types of the schema.
pub struct Schema {
    types: BTreeMap<Name, Definition>,
    /// `type X = …`, of types and of constraints.
    aliases: HashMap<Name, Expression>,
    /// The fewest levels that a value of the type has.
    least: HashMap<Name, usize>,
}

// --- reading ----------------------------------------------------------------------------------------

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the schema's sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Without comments; a `//` in a literal does not occur.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What stands between the brace at `open` and the one that closes it; and behind it.
fn braced(text: &str) -> (&str, &str) {
    let open = text.find('{').expect("an opening brace");
    let mut depth = 0;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[open + 1..at], &text[at + 1..]);
        }
    }
    panic!("an unclosed brace")
}

/// Parts between commas that are not inside brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '[' | '(' => depth += 1,
            '>' | ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn expression(text: &str) -> Expression {
    let text = text.trim();
    if let Some(array) = text.strip_prefix('[') {
        let (_, length) = array.trim_end_matches(']').split_once(';').expect("an array of octets");
        return Expression { name: "[]".into(), arguments: vec![expression(length)] };
    }
    match text.split_once('<') {
        Some((name, rest)) => {
            let arguments = rest.trim_end().strip_suffix('>').expect("a closing bracket");
            let arguments = parts(arguments).into_iter().map(expression).collect();
            Expression { name: name.trim().into(), arguments }
        }
        None => Expression { name: text.into(), arguments: Vec::new() },
    }
}

fn line(text: &str, addition: bool) -> Line {
    let mut quoted = text.splitn(3, '"');
    let (_, name, rest) = (quoted.next(), quoted.next().expect("a name"), quoted.next().unwrap_or_default());
    let rest = rest.trim();
    let optional = rest.starts_with('?');
    let ty = rest.trim_start_matches('?').trim().strip_prefix(':');
    let (ty, codec) = match ty.map(|ty| ty.split_once(" as ")) {
        Some(Some((ty, codec))) => (Some(expression(ty)), Some(expression(codec))),
        Some(None) => (ty.map(expression), None),
        None => (None, None),
    };
    Line { name: name.into(), optional: optional || addition, addition, ty, codec }
}

fn definition(form: Form, body: &str) -> (String, Definition) {
    let (head, _) = body.split_once('{').expect("a type");
    // Behind attributes.
    let name = head.rsplit(|c: char| c == ']' || c.is_whitespace()).find(|word| !word.is_empty());
    let (inside, _) = braced(body);
    let (root, additions) = match inside.split_once("...") {
        Some((root, additions)) => (root, Some(additions)),
        None => (inside, None),
    };
    let mut lines: Vec<Line> = parts(root).into_iter().map(|part| line(part, false)).collect();
    lines.extend(parts(additions.unwrap_or_default()).into_iter().map(|part| line(part, true)));
    let definition = Definition { form, lines, extensible: additions.is_some() };
    (name.expect("a name").to_owned(), definition)
}

/// What a file brings in from other modules: `use …::h245::{A, B};`.
fn imports(text: &str) -> HashMap<String, String> {
    let mut imports = HashMap::new();
    for (at, _) in text.match_indices("\nuse ") {
        let (path, _) = text[at + 5..].split_once(';').expect("the end of an import");
        for module in ["h225", "h235", "h245", "h450", "h460"] {
            if let Some((_, names)) = path.split_once(&format!("{module}::")) {
                let names = names.rsplit("::").next().unwrap_or(names);
                for name in names.split(|c: char| !c.is_alphanumeric()).filter(|name| !name.is_empty()) {
                    imports.insert(name.to_owned(), module.to_owned());
                }
            }
        }
    }
    imports
}

impl Expression {
    /// Names what is imported by its module.
    fn qualify(&mut self, imports: &HashMap<String, String>) {
        if let Some(module) = imports.get(&self.name) {
            self.name = format!("{module}::{}", self.name);
        }
        self.arguments.iter_mut().for_each(|argument| argument.qualify(imports));
    }
}

/// `Name: Element as List<…>`.
fn list(body: &str) -> (String, Definition) {
    let (name, rest) = body.trim().split_once(':').expect("a list");
    let (element, codec) = rest.trim().split_once(" as ").expect("its size");
    let ty = Expression { name: "Vec".into(), arguments: vec![expression(element)] };
    let codec = Some(expression(codec));
    let line = Line { name: "[]".into(), optional: false, addition: false, ty: Some(ty), codec };
    let name = name.rsplit(|c: char| c == ']' || c.is_whitespace()).next().expect("a name");
    (name.to_owned(), Definition { form: Form::List, lines: vec![line], extensible: false })
}

/// `Name member "memberName"`: a SEQUENCE of nothing else (`schema::h450`).
fn only_extensions(row: &str) -> (String, Definition) {
    let name = row.split_whitespace().next().expect("a name");
    let line = line(&format!("{row}?: Vec<MixedExtension> as MixedExtensions"), false);
    (name.to_owned(), Definition { form: Form::Sequence, lines: vec![line], extensible: true })
}

impl Schema {
    /// Reads the sources.
    pub fn read() -> Self {
        Self::read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema"))
    }

    /// Reads the sources below `root`, for the tests of other crates.
    pub fn read_from(root: &Path) -> Self {
        let mut files = Vec::new();
        sources(root, &mut files);
        files.sort();
        let (mut types, mut aliases) = (BTreeMap::new(), HashMap::new());
        for file in files {
            let module = file.strip_prefix(root).expect("below the root");
            let module = module.iter().next().and_then(|first| first.to_str()).expect("a module");
            let module = module.trim_end_matches(".rs");
            let text = without_comments(&std::fs::read_to_string(&file).expect("a source"));
            let imports = imports(&text);
            let mut here: Vec<(String, Definition)> = Vec::new();
            for (form, mark) in [
                (Form::Sequence, "sequence! "),
                (Form::Choice, "choice! "),
                (Form::Enumerated, "enumerated! "),
            ] {
                for (at, _) in text.match_indices(mark) {
                    let (body, _) = braced(&text[at..]);
                    if body.contains('$') {
                        // Inside a macro.
                        continue;
                    }
                    here.push(definition(form, body));
                }
            }
            for (at, _) in text.match_indices("\nlist! ") {
                here.push(list(braced(&text[at..]).0));
            }
            for (at, _) in text.match_indices("\nonly_extensions! ") {
                for row in braced(&text[at..]).0.split(';').filter(|row| !row.trim().is_empty()) {
                    here.push(only_extensions(row));
                }
            }
            for (name, mut definition) in here {
                for line in &mut definition.lines {
                    line.ty.iter_mut().chain(&mut line.codec).for_each(|ty| ty.qualify(&imports));
                }
                let before = types.insert((module.to_owned(), name), definition);
                assert!(before.is_none(), "a type twice in {}", file.display());
            }
            for (at, _) in text.match_indices(" type ") {
                let (alias, _) = text[at + 6..].split_once(';').expect("the end of an alias");
                let (name, meaning) = alias.split_once('=').expect("an alias");
                aliases.insert((module.to_owned(), name.trim().to_owned()), expression(meaning));
            }
        }
        let mut schema = Schema { types, aliases, least: HashMap::new() };
        schema.measure();
        schema
    }

    /// The names of all types.
    pub fn types(&self) -> impl Iterator<Item = &Name> {
        self.types.keys()
    }

    /// Every member and every alternative.
    pub fn targets(&self) -> Vec<(Name, usize)> {
        let lines = |(name, definition): (&Name, &Definition)| {
            (0..definition.lines.len()).map(|line| (name.clone(), line)).collect::<Vec<_>>()
        };
        self.types.iter().flat_map(lines).collect()
    }

    pub fn line(&self, target: &(Name, usize)) -> &Line {
        &self.types[&target.0].lines[target.1]
    }

    /// Which alternative, item or member this is: those of the root first, then the additions.
    pub fn place(&self, name: &Name, line: &str) -> usize {
        let definition = self.types.get(name).unwrap_or_else(|| panic!("no type {name:?}"));
        let place = definition.lines.iter().position(|candidate| candidate.name == line);
        place.unwrap_or_else(|| panic!("no {line} in {name:?}"))
    }

    /// Follows a name from a module: to its own, to the one it names, or to the only other.
    fn resolve(&self, module: &str, name: &str) -> Option<Name> {
        if let Some((path, name)) = name.rsplit_once("::") {
            let module = path.rsplit("::").next().unwrap_or(path);
            return self.resolve(module, name);
        }
        let found = |module: &str| {
            let key = (module.to_owned(), name.to_owned());
            (self.types.contains_key(&key) || self.aliases.contains_key(&key)).then_some(key)
        };
        found(module).or_else(|| {
            let order: &[&str] = match module {
                "h235" => &["h225", "h245"],
                "h245" => &["h235", "h225"],
                _ => &["h225", "h235", "h245", "h450", "h460"],
            };
            order.iter().find_map(|module| found(module))
        })
    }

    /// The type that an expression means, lists and boxes left aside.
    fn inner(&self, module: &str, ty: &Expression) -> Option<Name> {
        match ty.name.as_str() {
            "Vec" | "Box" => self.inner(module, ty.arguments.first()?),
            name => {
                let name = self.resolve(module, name)?;
                match self.aliases.get(&name) {
                    Some(meaning) => self.inner(&name.0, meaning),
                    None => Some(name),
                }
            }
        }
    }

    /// Finds `least`, upwards from types without members.
    fn measure(&mut self) {
        loop {
            let before = self.least.len();
            for (name, definition) in &self.types {
                let needs = |line: &Line| match &line.ty {
                    None => Some(0),
                    Some(ty) => match self.inner(&name.0, ty) {
                        None => Some(0),
                        Some(inner) => self.least.get(&inner).copied(),
                    },
                };
                let least = match definition.form {
                    Form::Enumerated => Some(0),
                    Form::Sequence | Form::List => definition
                        .lines
                        .iter()
                        .filter(|line| !line.optional)
                        .map(needs)
                        .try_fold(0, |most, need| Some(most.max(need?))),
                    Form::Choice => definition.lines.iter().filter_map(needs).min(),
                };
                if let Some(least) = least {
                    self.least.entry(name.clone()).or_insert(least + 1);
                }
            }
            if self.least.len() == before {
                break;
            }
        }
        for name in self.types.keys() {
            assert!(self.least.contains_key(name), "{name:?} has no finite value");
        }
    }

    /// For each type that is reachable from `root`, the line that leads to it and the type of that line.
    pub fn ways(&self, root: &Name) -> HashMap<Name, (Name, usize)> {
        let mut ways = HashMap::new();
        let mut queue = VecDeque::from([root.clone()]);
        while let Some(name) = queue.pop_front() {
            for (at, line) in self.types[&name].lines.iter().enumerate() {
                let inner = line.ty.as_ref().and_then(|ty| self.inner(&name.0, ty));
                if let Some(inner) = inner
                    && inner != *root
                    && !ways.contains_key(&inner)
                {
                    ways.insert(inner.clone(), (name.clone(), at));
                    queue.push_back(inner);
                }
            }
        }
        ways
    }
}
