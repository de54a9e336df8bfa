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

/// The value of an alternative, read by one of the functions of its codec; the function of an
/// alternative without a value is not called.
macro_rules! read {
    ($function:ident, $source:ident, $name:literal, $type:ty, $codec:ty) => {{
        let mut slot = <$codec as $crate::per::Codec<$type>>::blank();
        $crate::per::within($name, <$codec as $crate::per::Codec<$type>>::$function(&mut slot, $source))?;
        slot
    }};
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
            use $crate::per::notation::{blank, codec, extensible, one};
            use $crate::per::{Codec, json, within};

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
                        $( within(
                            $root_name,
                            <codec!($($req_codec)?) as Codec<$req_type>>::decode(&mut self.$root, reader),
                        )?; )?
                        $( reader.optional::<$opt_type, codec!($($opt_codec)?)>(
                            &mut present,
                            &mut self.$root,
                            $root_name,
                        )?; )?
                    )*
                    $(
                        reader.bitmap(&mut additions)?;
                        $( reader.addition::<$add_type, codec!($($add_codec)?)>(
                            &mut additions,
                            &mut self.$add,
                            $add_name,
                        )?; )*
                        reader.unknown_additions(&mut additions, &mut self.unknown)?;
                    )?
                    Ok(())
                }

                fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                    let extended = None::<bool>;
                    $(
                        let outer = writer.enter(&self.unknown);
                        let known: &[bool] = &[$( self.$add.is_some() ),*];
                        let extended = Some(writer.extended(known, &self.unknown));
                    )?
                    writer.preamble(extended, &[$( $( Option::<$opt_type>::is_some(&self.$root) ,)? )*]);
                    $(
                        $( within(
                            $root_name,
                            <codec!($($req_codec)?) as Codec<$req_type>>::encode(&self.$root, writer),
                        )?; )?
                        $( writer.optional::<$opt_type, codec!($($opt_codec)?)>(&self.$root, $root_name)?; )?
                    )*
                    $(
                        if extended == Some(true) {
                            writer.additions(known, &self.unknown);
                            $( writer.addition::<$add_type, codec!($($add_codec)?)>(
                                &self.$add,
                                $add_name,
                            )?; )*
                            writer.unknown_additions(known.len(), &self.unknown);
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
            const EXTENSIBLE: bool = $crate::per::notation::extensible!($( mark $($add)* )?);
            const ROOTS: usize = [$( $index ),*].len();
        }

        #[allow(unused_imports, unused_variables, unreachable_patterns, unreachable_code)]
        const _: () = {
            use $crate::per::notation::{bind, codec, extensible, read};
            use $crate::per::{Codec, json, within};

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
                    let (extension, index) = reader.alternative(Self::EXTENSIBLE, Self::ROOTS)?;
                    $(
                        if extension {
                            let mut open = reader.enter_open()?;
                            *self = match index {
                                $( $add_index => $name::$add $( (
                                    read!(decode, reader, $add_name, $add_type, codec!($($add_codec)?))
                                ) )?, )*
                                _ => $name::Unrecognized(reader.unknown_alternative(index, &mut open)?),
                            };
                            reader.leave_open(open)?;
                            return Ok(());
                        }
                    )?
                    *self = match index {
                        $( $index => $name::$alt $( (
                            read!(decode, reader, $alt_name, $type, codec!($($codec)?))
                        ) )?, )*
                        _ => return Err(reader.error($crate::per::Kind::BadAlternative)),
                    };
                    Ok(())
                }

                fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                    match self {
                        $(
                            $name::$alt $( (bind!(value $type)) )? => {
                                writer.root_alternative(Self::EXTENSIBLE, Self::ROOTS, $index)?;
                                $( within(
                                    $alt_name,
                                    <codec!($($codec)?) as Codec<$type>>::encode(value, writer),
                                )?; )?
                            }
                        )*
                        $(
                            $(
                                $name::$add $( (bind!(value $add_type)) )? => {
                                    writer.extension_alternative($add_index);
                                    let open = writer.enter_open()?;
                                    $( within(
                                        $add_name,
                                        <codec!($($add_codec)?) as Codec<$add_type>>::encode(value, writer),
                                    )?; )?
                                    writer.leave_open(open);
                                }
                            )*
                            $name::Unrecognized(unknown) => writer.unknown_alternative(unknown),
                        )?
                    }
                    Ok(())
                }

                fn to_json(&self) -> json::Value {
                    match self {
                        $(
                            $name::$alt $( (bind!(value $type)) )? => {
                                let described = json::Value::Null;
                                $( let described = <codec!($($codec)?) as Codec<$type>>::to_json(value); )?
                                json::named($alt_name, described)
                            }
                        )*
                        $(
                            $(
                                $name::$add $( (bind!(value $add_type)) )? => {
                                    let described = json::Value::Null;
                                    $( let described =
                                        <codec!($($add_codec)?) as Codec<$add_type>>::to_json(value); )?
                                    json::named($add_name, described)
                                }
                            )*
                            $name::Unrecognized(unknown) => json::unknown_alternative(unknown),
                        )?
                    }
                }

                fn read_json(&mut self, value: &json::Value) -> $crate::per::Result<()> {
                    let (name, value) = json::only_member(value)?;
                    *self = match name {
                        $( $alt_name => $name::$alt $( (
                            read!(read_json, value, $alt_name, $type, codec!($($codec)?))
                        ) )?, )*
                        $(
                            $( $add_name => $name::$add $( (
                                read!(read_json, value, $add_name, $add_type, codec!($($add_codec)?))
                            ) )?, )*
                            _ => $name::Unrecognized(json::unknown_chosen(name, value)?),
                        )?
                        _ => return Err(json::wanted("the name of an alternative")),
                    };
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
                writer.root_alternative(false, [$( $index ),*].len(), index)
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
                    $name::Unrecognized(index) => {
                        writer.extension_alternative(*index);
                        Ok(())
                    }
                }
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

/// Whether the indices of alternatives count up from zero.
pub(crate) const fn consecutive(indices: &[u32]) -> bool {
    let mut expected = 0;
    while expected < indices.len() {
        if indices[expected] as usize != expected {
            return false;
        }
        expected += 1;
    }
    true
}

pub(crate) use {bind, blank, choice, codec, enumerated, extensible, given, list, one, read, sequence};
