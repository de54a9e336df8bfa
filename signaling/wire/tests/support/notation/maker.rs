//! Arbitrary values of the types of the schema.
//! In: a [`Schema`]. Out: descriptions (`per::json`) of values, random but within every constraint.
//! Not here: what is done with the values (`any_value.rs`, `oracle.rs`, `tshark.rs`).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::super::random::Random;
use super::{Definition, Expression, Form, Line, Name, Schema};

/// What arbitrary values may hold.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// One of so many optional members is there.
    pub sparse: usize,
    /// How many levels may be below a type before only what must be there is.
    pub levels: usize,
    /// Unknown additions and alternatives, and numbers outside extensible ranges.
    pub unknown: bool,
    /// Any permitted character; else only those that every tool prints alike.
    pub any_text: bool,
    /// Numbers without bounds stay within 32 bits.
    pub narrow: bool,
    /// Any octet in a GeneralString; else ASCII.
    pub latin: bool,
}

/// Makes values, and notes which lines they used.
pub struct Maker<'a> {
    pub schema: &'a Schema,
    pub random: Random,
    pub taste: Taste,
    pub used: HashSet<(Name, usize)>,
    /// Lines that values of a type must use.
    force: HashMap<Name, usize>,
}

impl<'a> Maker<'a> {
    pub fn new(schema: &'a Schema, seed: u64, taste: Taste) -> Self {
        Maker { schema, random: Random(seed), taste, used: HashSet::new(), force: HashMap::new() }
    }

    /// A description of a value of `root`.
    pub fn value(&mut self, root: &Name) -> Value {
        self.force.clear();
        self.named(root, self.taste.levels)
    }

    /// One that uses the line `target`, to which `ways` lead from `root`.
    pub fn value_with(
        &mut self,
        root: &Name,
        ways: &HashMap<Name, (Name, usize)>,
        target: &(Name, usize),
    ) -> Value {
        self.force.clear();
        self.force.insert(target.0.clone(), target.1);
        let (mut at, mut levels) = (&target.0, 2);
        while at != root {
            let (parent, line) = &ways[at];
            // The way is the shortest: it comes to a type only once.
            self.force.insert(parent.clone(), *line);
            (at, levels) = (parent, levels + 1);
        }
        self.named(root, levels)
    }

    fn named(&mut self, name: &Name, levels: usize) -> Value {
        let schema = self.schema;
        let definition = &schema.types[name];
        // Forced once: a recursive type must end.
        let forced = self.force.remove(name);
        match definition.form {
            Form::Enumerated => {
                let at = forced.unwrap_or_else(|| self.random.below(definition.lines.len()));
                self.used.insert((name.clone(), at));
                definition.lines[at].name.clone().into()
            }
            Form::List => {
                self.used.insert((name.clone(), 0));
                self.of_line(&name.0, &definition.lines[0], levels.saturating_sub(1))
            }
            Form::Choice => self.choice(name, definition, forced, levels),
            Form::Sequence => self.sequence(name, definition, forced, levels),
        }
    }

    fn choice(
        &mut self,
        name: &Name,
        definition: &Definition,
        forced: Option<usize>,
        levels: usize,
    ) -> Value {
        let additions = definition.lines.iter().filter(|line| line.addition).count();
        if forced.is_none() && self.taste.unknown && definition.extensible && self.random.one(50) {
            return json!({ "_unknown_alternative": self.unknown(additions) });
        }
        let schema = self.schema;
        let least = |line: &Line| {
            let inner = line.ty.as_ref().and_then(|ty| schema.inner(&name.0, ty));
            inner.map_or(0, |inner| schema.least[&inner])
        };
        let lines = &definition.lines;
        let at = forced.unwrap_or_else(|| {
            let fitting: Vec<usize> = (0..lines.len()).filter(|at| least(&lines[*at]) < levels).collect();
            match fitting.is_empty() {
                false => *self.random.pick(&fitting),
                true => (0..lines.len()).min_by_key(|at| least(&lines[*at])).expect("an alternative"),
            }
        });
        self.used.insert((name.clone(), at));
        let value = self.of_line(&name.0, &lines[at], levels.saturating_sub(1));
        Value::Object(Map::from_iter([(lines[at].name.clone(), value)]))
    }

    fn sequence(
        &mut self,
        name: &Name,
        definition: &Definition,
        forced: Option<usize>,
        levels: usize,
    ) -> Value {
        let mut members = Map::new();
        for (at, line) in definition.lines.iter().enumerate() {
            let here = forced == Some(at)
                || !line.optional
                || (levels > 0 && forced.is_none() && self.random.one(self.taste.sparse));
            if here {
                self.used.insert((name.clone(), at));
                // A level for the way to what is forced, whatever comes first.
                members.insert(line.name.clone(), self.of_line(&name.0, line, levels.saturating_sub(1)));
            }
        }
        if self.taste.unknown && definition.extensible && self.random.one(60) {
            let known = definition.lines.iter().filter(|line| line.addition).count();
            let first = self.unknown(known);
            let next = first["index"].as_u64().map_or(0, |index| index as usize + 1);
            let mut additions = vec![first];
            if self.random.one(3) {
                additions.push(self.unknown(next));
            }
            members.insert("_unknown_additions".into(), additions.into());
        }
        Value::Object(members)
    }

    fn unknown(&mut self, known: usize) -> Value {
        let beyond = *self.random.pick(&[0, 0, 1, 5, 30, 64, 200]);
        let count = self.random.below(6);
        json!({ "index": known + beyond, "hex": hex(&self.random.octets(count)) })
    }

    fn of_line(&mut self, module: &str, line: &Line, levels: usize) -> Value {
        match &line.ty {
            None => Value::Null,
            Some(ty) => self.of(module, ty, line.codec.as_ref(), levels),
        }
    }

    fn of(&mut self, module: &str, ty: &Expression, codec: Option<&Expression>, levels: usize) -> Value {
        if let Some(codec) = codec {
            if codec.name == "Plain" {
                return self.of(module, ty, None, levels);
            }
            if let Some(name) = self.schema.resolve(module, &codec.name) {
                let meaning = self.schema.aliases.get(&name).expect("the name of a constraint");
                return self.of(&name.0, ty, Some(meaning), levels);
            }
            return self.constrained(module, ty, codec, levels);
        }
        match ty.name.as_str() {
            "Box" => self.of(module, &ty.arguments[0], None, levels),
            "Vec" => {
                let element = ty.arguments[0].clone();
                self.list(module, &element, None, 0, 3, levels)
            }
            "()" => Value::Null,
            "bool" => self.random.one(2).into(),
            "u8" => self.number(0, 0xff).into(),
            "u16" => self.number(0, 0xffff).into(),
            "u32" => self.number(0, 0xffff_ffff).into(),
            "i64" | "Integer" if self.taste.narrow => self.number(i32::MIN.into(), i32::MAX.into()).into(),
            "Integer" if self.random.one(6) => {
                // Beyond 64 bits: octets, the first of which are no mere sign.
                let mut octets = vec![*self.random.pick(&[0x01, 0x7f, 0x80, 0xfe])];
                let count = 8 + self.random.below(14);
                octets.extend(self.random.octets(count));
                hex(&octets).into()
            }
            "i64" | "Integer" => self.number(i64::MIN, i64::MAX).into(),
            "[]" => {
                let count = limit(&ty.arguments[0]) as usize;
                hex(&self.random.octets(count)).into()
            }
            "Bytes" => self.octets(0, usize::MAX),
            "BitString" => self.bits(0, usize::MAX),
            "BmpString" => self.wide_text(0, usize::MAX),
            "Oid" => self.oid(),
            name => {
                let inner = self.schema.inner(module, ty);
                let inner = inner.unwrap_or_else(|| panic!("{module}: no type {name}"));
                self.named(&inner, levels)
            }
        }
    }

    fn constrained(&mut self, module: &str, ty: &Expression, codec: &Expression, levels: usize) -> Value {
        let bound = |at: usize, otherwise: i64| codec.arguments.get(at).map_or(otherwise, limit);
        let (low, high) = (bound(0, 0), bound(1, i64::MAX));
        let sizes = (low.max(0) as usize, high as usize);
        match codec.name.as_str() {
            "Int" => self.number(low, high).into(),
            "IntFrom" => self.number(low, 0xffff_ffff).into(),
            "IntExtensible" if self.taste.unknown && self.random.one(10) => {
                self.number(i64::MIN, i64::MAX).into()
            }
            "IntExtensible" => self.number(low, high).into(),
            "Octets" => self.octets(sizes.0, sizes.1),
            "Bits" => self.bits(sizes.0, sizes.1),
            "Bmp" => self.wide_text(sizes.0, sizes.1),
            "List" => {
                let most = sizes.1.min(sizes.0 + 3);
                let element = ty.arguments.first().expect("the type of the elements").clone();
                let codec = codec.arguments.get(2).cloned();
                self.list(module, &element, codec.as_ref(), sizes.0, most, levels)
            }
            "General" if self.taste.latin => {
                let count = self.size(0, 20);
                (0..count).map(|_| char::from(self.random.next() as u8)).collect::<String>().into()
            }
            "General" => self.text(b"abcXYZ 0189", 0, usize::MAX),
            "Ia5" if self.taste.any_text => {
                let all: Vec<u8> = (0..128).collect();
                self.text(&all, sizes.0, sizes.1)
            }
            "Ia5" => self.text(b"abcXYZ 0189.-/", sizes.0, sizes.1),
            "Printable" if self.taste.any_text => self.text(
                b" '()+,-./0123456789:=?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                sizes.0,
                sizes.1,
            ),
            "Printable" => self.text(b"abcXYZ019.-", sizes.0, sizes.1),
            "Visible" if self.taste.any_text => {
                let all: Vec<u8> = (0x20..0x7f).collect();
                self.text(&all, sizes.0, sizes.1)
            }
            "Visible" => self.text(b"abcXYZ 019", sizes.0, sizes.1),
            "Numeric" => self.text(b" 0123456789", sizes.0, sizes.1),
            "DialledDigit" => self.text(b"#*,0123456789", sizes.0, sizes.1),
            "Tbcd" => self.text(b"#*0123456789abc", sizes.0, sizes.1),
            "IsupDigit" => self.text(b"0123456789ABCDE", sizes.0, sizes.1),
            "Signal" => self.text(b"!#*0123456789ABCD", sizes.0, sizes.1),
            other => panic!("{module}: no constraint {other}"),
        }
    }

    fn list(
        &mut self,
        module: &str,
        element: &Expression,
        codec: Option<&Expression>,
        low: usize,
        high: usize,
        levels: usize,
    ) -> Value {
        let inner = self.schema.inner(module, element);
        let wanted = inner.as_ref().is_some_and(|inner| self.force.contains_key(inner));
        let count = match levels {
            // What is forced may be below this one as well.
            _ if wanted || !self.force.is_empty() => low.max(1),
            0 => low,
            _ => low + self.random.below(high - low + 1),
        };
        (0..count).map(|_| self.of(module, element, codec, levels)).collect()
    }

    /// At and near the ends, and anywhere.
    fn number(&mut self, low: i64, high: i64) -> i64 {
        let span = high.wrapping_sub(low) as u64;
        let anywhere = match span {
            u64::MAX => self.random.next(),
            _ => self.random.next() % (span + 1),
        };
        let offset = match self.random.below(8) {
            0 => 0,
            1 => span,
            2 => 1,
            3 => span.saturating_sub(1),
            4 => 1 << self.random.below(63),
            5 => (1 << self.random.below(63)) - 1,
            _ => anywhere,
        };
        low.wrapping_add(if offset > span { anywhere } else { offset } as i64)
    }

    fn size(&mut self, low: usize, high: usize) -> usize {
        let most = high.min(low.saturating_add(12));
        match self.random.below(12) {
            0 => low,
            1 if high <= 300 => high,
            2 if high > 300 => low.max(130),
            _ => low + self.random.below(most - low + 1),
        }
    }

    fn octets(&mut self, low: usize, high: usize) -> Value {
        let count = self.size(low, high);
        hex(&self.random.octets(count)).into()
    }

    fn bits(&mut self, low: usize, high: usize) -> Value {
        let bits = self.size(low, high);
        let mut octets = self.random.octets(bits.div_ceil(8));
        if let (Some(last), spare @ 1..) = (octets.last_mut(), bits.div_ceil(8) * 8 - bits) {
            *last &= 0xff << spare;
        }
        json!({ "hex": hex(&octets), "bits": bits })
    }

    fn text(&mut self, alphabet: &[u8], low: usize, high: usize) -> Value {
        let count = self.size(low, high);
        (0..count).map(|_| char::from(*self.random.pick(alphabet))).collect::<String>().into()
    }

    fn wide_text(&mut self, low: usize, high: usize) -> Value {
        let count = self.size(low, high);
        let alphabet = ['a', 'b', 'Z', '0', ' ', 'é', 'ß', '日', 'Ω', '\u{fffd}', '\u{1}'];
        let alphabet = if self.taste.any_text { &alphabet[..] } else { &alphabet[..5] };
        (0..count).map(|_| *self.random.pick(alphabet)).collect::<String>().into()
    }

    fn oid(&mut self) -> Value {
        let first = self.random.below(3);
        let mut arcs = vec![first as u64];
        arcs.push(self.random.below(if first == 2 { 1000 } else { 40 }) as u64);
        for _ in 0..self.random.below(6) {
            arcs.push(*self.random.pick(&[0, 1, 8, 127, 128, 245, 2250, 16_383, 16_384, 0xffff_ffff]));
        }
        arcs.iter().map(u64::to_string).collect::<Vec<_>>().join(".").into()
    }
}

fn limit(expression: &Expression) -> i64 {
    match expression.name.as_str() {
        "UNBOUNDED" => i64::MAX,
        number => number.replace('_', "").parse().unwrap_or_else(|_| panic!("{number} is no number")),
    }
}

pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
