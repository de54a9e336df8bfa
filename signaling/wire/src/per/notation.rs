//! The notation of the schema: one line a member, in the order of the wire.
//!
//! ```text
//! sequence! {
//!     /// What it is for.
//!     Name {
//!         member_name "memberName": RustType,
//!         other_name "other-name"?: u16 as Int<1, 65_535>,      // optional
//!         ...                                  // the extension mark; all behind it is optional
//!         addition_name "additionName": Vec<RustType> as List<1, 256>,
//!     }
//! }
//! choice! {
//!     /// What it is for.
//!     Name {
//!         0 First "first": RustType,              // the index on the wire
//!         1 Second "second",                      // NULL
//!         ...
//!         0 Third "third": Box<LargeType>,
//!     }
//! }
//! ```
//!
//! Behind the Rust name stands the standard's, which errors and JSON use; behind `as` the
//! constraint, a [`Codec`](super::Codec). Without an extension mark (`...`) a type has no member
//! `unknown`, a CHOICE no alternative `Unrecognized`.
//! The macros only list members; all work is in functions of `reader`, `writer` and `json`.

/// The codec behind `as`, or none.
macro_rules! codec {
    () => {
        $crate::per::Plain
    };
    ($codec:ty) => {
        $codec
    };
}

/// The binding of an alternative's value; mentions the type in order to repeat with it.
macro_rules! bind {
    ($value:ident $type:ty) => {
        $value
    };
}

/// A member of a new value: given, if it is required.
macro_rules! given {
    ($value:ident) => {
        None
    };
    ($value:ident: $type:ty) => {
        $value
    };
}

/// A member of a blank value: only required members need a value.
macro_rules! blank {
    () => {
        None
    };
    ($type:ty, $codec:ty) => {
        <$codec as $crate::per::Codec<$type>>::blank()
    };
}

/// Passes an error on, with a step added to its path.
macro_rules! within {
    ($name:expr, $result:expr) => {
        if let Err(error) = $result {
            return Err(error.in_member($name));
        }
    };
}

/// One, for each thing to count.
macro_rules! one {
    ($($thing:tt)*) => {
        1
    };
}

/// Whether there is an extension mark; what follows it does not matter.
macro_rules! extensible {
    () => {
        false
    };
    (mark $($name:ident)*) => {
        true
    };
}

/// A SEQUENCE.
macro_rules! sequence {
    (
        $(#[$meta:meta])*
        $name:ident {
            $(
                $root:ident $root_name:literal
                $( ?: $opt_type:ty $(as $opt_codec:ty)? )?
                $( : $req_type:ty $(as $req_codec:ty)? )?
                ,
            )*
            $( ... $( $add:ident $add_name:literal: $add_type:ty $(as $add_codec:ty)?, )* )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                #[doc = concat!("`", $root_name, "`.")]
                pub $root: $( Option<$opt_type> )? $( $req_type )?,
            )*
            $(
                $( #[doc = concat!("`", $add_name, "`, an extension addition.")]
                   pub $add: Option<$add_type>, )*
                /// Extension additions of later versions.
                pub unknown: $crate::per::UnknownAdditions,
            )?
        }

        impl $name {
            /// The value with these members and no others.
            #[allow(clippy::too_many_arguments)]
            #[must_use]
            pub fn new($( $( $root: $req_type, )? )*) -> Self {
                $name {
                    $( $root: $crate::per::notation::given!($root $( : $req_type )?), )*
                    $( $( $add: None, )* unknown: Default::default(), )?
                }
            }
        }

        #[allow(unused_imports, unused_mut, unused_variables)]
        const _: () = {
            use $crate::per::notation::{blank, codec, extensible, one, within};
            use $crate::per::{Codec, json};

            // What says which members are there fits a number.
            assert!($crate::per::notation::countable(0 $( $( + one!($opt_type) )? )*));
            assert!($crate::per::notation::countable(0 $( $( + one!($add) )* )?));

            impl $crate::per::Type for $name {
                fn blank() -> Self {
                    $name {
                        $( $root: blank!(
                            $( $req_type, codec!($($req_codec)?) )?
                        ), )*
                        $( $( $add: None, )* unknown: Default::default(), )?
                    }
                }

                fn decode(&mut self, reader: &mut $crate::per::Reader) -> $crate::per::Result<()> {
                    let (mut additions, mut present) = reader.preamble(
                        extensible!($( mark $($add)* )?),
                        0 $( $( + one!($opt_type) )? )*,
                        0 $( + one!($root) )* $( $( + one!($add) )* )?,
                    )?;
                    $(
                        $( within!(
                            $root_name,
                            <codec!($($req_codec)?) as Codec<$req_type>>::decode(&mut self.$root, reader)
                        ); )?
                        $( reader.optional::<$opt_type, codec!($($opt_codec)?)>(
                            &mut present,
                            &mut self.$root,
                            $root_name,
                        )?; )?
                    )*
                    $(
                        if reader.bitmap(&mut additions)? {
                            $( reader.addition::<$add_type, codec!($($add_codec)?)>(
                                &mut additions,
                                &mut self.$add,
                                $add_name,
                            )?; )*
                            reader.unknown_additions(&additions, 0 $( + one!($add) )*, &mut self.unknown)?;
                        }
                        reader.end(&additions, &mut self.unknown)?;
                    )?
                    Ok(())
                }

                fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                    let present = (0u64, 0);
                    $( $( let present = (
                        present.0 << 1 | u64::from(Option::<$opt_type>::is_some(&self.$root)),
                        present.1 + 1,
                    ); )? )*
                    let extended = None::<bool>;
                    $(
                        let outer = writer.enter(&self.unknown);
                        let known = 0u64;
                        $( let known = known << 1 | u64::from(self.$add.is_some()); )*
                        let extended = Some(known != 0 || self.unknown.has_any());
                    )?
                    writer.preamble(extended, present);
                    $(
                        $( within!(
                            $root_name,
                            <codec!($($req_codec)?) as Codec<$req_type>>::encode(&self.$root, writer)
                        ); )?
                        $( writer.optional::<$opt_type, codec!($($opt_codec)?)>(&self.$root, $root_name)?; )?
                    )*
                    $(
                        if extended == Some(true) {
                            const KNOWN: usize = 0 $( + one!($add) )*;
                            writer.additions(known, KNOWN, &self.unknown);
                            $( writer.addition::<$add_type, codec!($($add_codec)?)>(
                                &self.$add,
                                $add_name,
                            )?; )*
                            writer.unknown_additions(KNOWN, &self.unknown);
                        }
                        writer.leave(outer);
                    )?
                    Ok(())
                }

                fn to_json(&self) -> json::Value {
                    let mut members = json::Members::default();
                    $(
                        $( members.member(
                            $root_name,
                            <codec!($($req_codec)?) as Codec<$req_type>>::to_json(&self.$root),
                        ); )?
                        $( members.optional::<$opt_type, codec!($($opt_codec)?)>($root_name, &self.$root); )?
                    )*
                    $(
                        $( members.optional::<$add_type, codec!($($add_codec)?)>($add_name, &self.$add); )*
                        members.unknown(&self.unknown);
                    )?
                    members.finish()
                }

                fn read_json(&mut self, value: &json::Value) -> $crate::per::Result<()> {
                    let mut description = json::Description::new(value)?;
                    $(
                        $( description.required::<$req_type, codec!($($req_codec)?)>(
                            &mut self.$root,
                            $root_name,
                        )?; )?
                        $( description.optional::<$opt_type, codec!($($opt_codec)?)>(
                            &mut self.$root,
                            $root_name,
                        )?; )?
                    )*
                    $(
                        $( description.optional::<$add_type, codec!($($add_codec)?)>(
                            &mut self.$add,
                            $add_name,
                        )?; )*
                        description.unknown(&mut self.unknown, 0 $( + one!($add) )*)?;
                    )?
                    description.finish()
                }
            }
        };
    };
}

/// A CHOICE.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident {
            $( $index:literal $alt:ident $alt_name:literal $( : $type:ty $(as $codec:ty)? )?, )*
            $(
                ...
                $(
                    $add_index:literal $add:ident $add_name:literal
                    $( : $add_type:ty $(as $add_codec:ty)? )?,
                )*
            )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $( #[doc = concat!("`", $alt_name, "`.")] $alt $( ($type) )?, )*
            $(
                $( #[doc = concat!("`", $add_name, "`, an extension addition.")] $add $( ($add_type) )?, )*
                /// An alternative of a later version.
                Unrecognized($crate::per::UnknownAlternative),
            )?
        }

        const _: () = assert!(
            $crate::per::notation::consecutive(&[$( $index ),*])
                $( && $crate::per::notation::consecutive(&[$( $add_index ),*]) )?
        );

        impl $name {
            /// The names of the alternatives: in the root, and behind the extension mark if there is one.
            const NAMES: $crate::per::Alternatives = $crate::per::Alternatives {
                root: &[$( $alt_name ),*],
                additions: &[$( $( $add_name ),* )?],
                extensible: $crate::per::notation::extensible!($( mark $($add)* )?),
            };
        }

        #[allow(unused_imports, unused_variables, unreachable_patterns, unreachable_code)]
        const _: () = {
            use $crate::per::notation::{bind, codec, extensible};
            use $crate::per::{Codec, json};

            impl $name {
                /// Whether it is behind the extension mark, and its index there or in the root.
                fn place(&self) -> (bool, u32) {
                    match self {
                        $( $name::$alt $( (bind!(value $type)) )? => (false, $index), )*
                        $(
                            $( $name::$add $( (bind!(value $add_type)) )? => (true, $add_index), )*
                            $name::Unrecognized(unknown) => (true, unknown.index()),
                        )?
                    }
                }

                /// Reads an alternative by one of the functions of its codec.
                fn read<S: $crate::per::Source>(
                    source: &mut S,
                    (extension, index): (bool, u32),
                ) -> $crate::per::Result<Self> {
                    Ok(match (extension, index) {
                        $( (false, $index) => $name::$alt $( (
                            source.value::<$type, codec!($($codec)?)>()?
                        ) )?, )*
                        $(
                            $( (true, $add_index) => $name::$add $( (
                                source.value::<$add_type, codec!($($add_codec)?)>()?
                            ) )?, )*
                            (true, index) => $name::Unrecognized(source.unknown_alternative(index)?),
                        )?
                        _ => return Err(source.bad_alternative()),
                    })
                }
            }

            impl $crate::per::Type for $name {
                fn blank() -> Self {
                    $(
                        if extensible!(mark $($add)*) {
                            return $name::Unrecognized(Default::default());
                        }
                    )?
                    // The first alternative.
                    $( return $name::$alt $( (<codec!($($codec)?) as Codec<$type>>::blank()) )?; )*
                }

                fn decode(&mut self, reader: &mut $crate::per::Reader) -> $crate::per::Result<()> {
                    let (place, open) = reader.enter_alternative(&Self::NAMES)?;
                    match Self::read(reader, place) {
                        Ok(value) => *self = value,
                        Err(error) => return Err(error.in_alternative(&Self::NAMES, place)),
                    }
                    reader.leave_alternative(open)
                }

                fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                    let place = self.place();
                    $(
                        if let (true, $name::Unrecognized(unknown)) = (extensible!(mark $($add)*), self) {
                            writer.unknown_alternative(unknown);
                            return Ok(());
                        }
                    )?
                    let open = writer.enter_alternative(&Self::NAMES, place)?;
                    let written: $crate::per::Result<()> = match self {
                        $( $( $name::$alt(bind!(value $type)) =>
                            <codec!($($codec)?) as Codec<$type>>::encode(value, writer), )? )*
                        $( $( $( $name::$add(bind!(value $add_type)) =>
                            <codec!($($add_codec)?) as Codec<$add_type>>::encode(value, writer), )? )* )?
                        _ => Ok(()),
                    };
                    if let Err(error) = written {
                        return Err(error.in_alternative(&Self::NAMES, place));
                    }
                    writer.leave_alternative(open);
                    Ok(())
                }

                fn to_json(&self) -> json::Value {
                    let described = match self {
                        $( $( $name::$alt(bind!(value $type)) =>
                            <codec!($($codec)?) as Codec<$type>>::to_json(value), )? )*
                        $(
                            $( $( $name::$add(bind!(value $add_type)) =>
                                <codec!($($add_codec)?) as Codec<$add_type>>::to_json(value), )? )*
                            $name::Unrecognized(unknown) => return json::unknown_alternative(unknown),
                        )?
                        _ => json::Value::Null,
                    };
                    json::alternative(&Self::NAMES, self.place(), described)
                }

                fn read_json(&mut self, value: &json::Value) -> $crate::per::Result<()> {
                    let (place, mut value) = json::chosen(&Self::NAMES, value)?;
                    match Self::read(&mut value, place) {
                        Ok(value) => *self = value,
                        Err(error) => return Err(error.in_alternative(&Self::NAMES, place)),
                    }
                    Ok(())
                }
            }
        };
    };
}

/// An ENUMERATED: extensible, without additions so far; or without extension mark.
macro_rules! enumerated {
    (
        $(#[$meta:meta])*
        $name:ident { $( $index:literal $item:ident $item_name:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( #[doc = concat!("`", $item_name, "`.")] $item, )*
        }

        const _: () = assert!($crate::per::notation::consecutive(&[$( $index ),*]));

        impl $crate::per::Type for $name {
            #[allow(unreachable_code)]
            fn blank() -> Self {
                // The first.
                $( return $name::$item; )*
            }

            fn decode(&mut self, reader: &mut $crate::per::Reader) -> $crate::per::Result<()> {
                *self = match reader.alternative(false, [$( $index ),*].len())?.1 {
                    $( $index => $name::$item, )*
                    _ => return Err(reader.error($crate::per::Kind::BadAlternative)),
                };
                Ok(())
            }

            fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                let index = match self {
                    $( $name::$item => $index, )*
                };
                writer.root_alternative(false, [$( $index ),*].len(), index);
                Ok(())
            }

            fn to_json(&self) -> $crate::per::json::Value {
                match self {
                    $( $name::$item => $item_name.into(), )*
                }
            }

            fn read_json(&mut self, value: &$crate::per::json::Value) -> $crate::per::Result<()> {
                *self = match value.as_str() {
                    $( Some($item_name) => $name::$item, )*
                    _ => return Err($crate::per::json::wanted("the name of an item")),
                };
                Ok(())
            }
        }
    };
    (
        $(#[$meta:meta])*
        $name:ident { $( $index:literal $item:ident $item_name:literal, )* ... }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( #[doc = concat!("`", $item_name, "`.")] $item, )*
            /// An item of a later version, by its place behind the extension mark.
            Unrecognized(u32),
        }

        const _: () = assert!($crate::per::notation::consecutive(&[$( $index ),*]));

        impl $crate::per::Type for $name {
            fn blank() -> Self {
                $name::Unrecognized(0)
            }

            fn decode(&mut self, reader: &mut $crate::per::Reader) -> $crate::per::Result<()> {
                *self = match reader.alternative(true, [$( $index ),*].len())? {
                    (true, index) => $name::Unrecognized(index),
                    $( (false, $index) => $name::$item, )*
                    _ => return Err(reader.error($crate::per::Kind::BadAlternative)),
                };
                Ok(())
            }

            fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                let roots = [$( $index ),*].len();
                match self {
                    $( $name::$item => writer.root_alternative(true, roots, $index), )*
                    $name::Unrecognized(index) => writer.extension_alternative(*index),
                }
                Ok(())
            }

            fn to_json(&self) -> $crate::per::json::Value {
                match self {
                    $( $name::$item => $item_name.into(), )*
                    $name::Unrecognized(index) => $crate::per::json::unknown_item(*index),
                }
            }

            fn read_json(&mut self, value: &$crate::per::json::Value) -> $crate::per::Result<()> {
                *self = match value.as_str() {
                    $( Some($item_name) => $name::$item, )*
                    _ => $name::Unrecognized($crate::per::json::unknown_item_index(value)?),
                };
                Ok(())
            }
        }
    };
}

/// A SEQUENCE OF or SET OF that is a message or an argument by itself.
macro_rules! list {
    ($(#[$meta:meta])* $name:ident: $element:ty as $codec:ty) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name(pub Vec<$element>);

        impl $crate::per::Type for $name {
            fn blank() -> Self {
                Self::default()
            }
            fn decode(&mut self, reader: &mut $crate::per::Reader) -> $crate::per::Result<()> {
                <$codec as $crate::per::Codec<Vec<$element>>>::decode(&mut self.0, reader)
            }
            fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                <$codec as $crate::per::Codec<Vec<$element>>>::encode(&self.0, writer)
            }
            fn to_json(&self) -> $crate::per::json::Value {
                <$codec as $crate::per::Codec<Vec<$element>>>::to_json(&self.0)
            }
            fn read_json(&mut self, value: &$crate::per::json::Value) -> $crate::per::Result<()> {
                <$codec as $crate::per::Codec<Vec<$element>>>::read_json(&mut self.0, value)
            }
        }
    };
}

/// Whether the indices of alternatives count up from zero, and no higher than an octet.
pub(crate) const fn consecutive(indices: &[u32]) -> bool {
    if indices.len() > 255 {
        return false;
    }
    let mut expected = 0;
    while expected < indices.len() {
        if indices[expected] as usize != expected {
            return false;
        }
        expected += 1;
    }
    true
}

/// Whether so many presence bits fit a number.
pub(crate) const fn countable(bits: u32) -> bool {
    bits <= u64::BITS
}

pub(crate) use {bind, blank, choice, codec, enumerated, extensible, given, list, one, sequence, within};
