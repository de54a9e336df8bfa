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

        #[allow(unused_mut, unused_variables)]
        impl $crate::per::Type for $name {
            fn decode(reader: &mut $crate::per::Reader) -> $crate::per::Result<Self> {
                let (mut additions, mut present) = reader.preamble(
                    $crate::per::notation::extensible!($( mark $($add)* )?),
                    0 $( $( + $crate::per::notation::one!($opt_type) )? )*,
                )?;
                Ok($name {
                    $(
                        $( $root: reader.member::<$req_type, $crate::per::notation::codec!($($req_codec)?)>($root_name)?, )?
                        $( $root: reader.optional::<$opt_type, $crate::per::notation::codec!($($opt_codec)?)>(&mut present, $root_name)?, )?
                    )*
                    $(
                        $( $add: reader.addition::<$add_type, $crate::per::notation::codec!($($add_codec)?)>(&mut additions, $add_name)?, )*
                        unknown: reader.unknown_additions(&mut additions)?,
                    )?
                })
            }

            fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                $(
                    let known: &[bool] = &[$( self.$add.is_some() ),*];
                    let extended = known.contains(&true) || !self.unknown.is_empty();
                    writer.bit(extended);
                )?
                $( $( writer.bit(Option::<$opt_type>::is_some(&self.$root)); )? )*
                $(
                    $( writer.member::<$req_type, $crate::per::notation::codec!($($req_codec)?)>(&self.$root, $root_name)?; )?
                    $( writer.optional::<$opt_type, $crate::per::notation::codec!($($opt_codec)?)>(&self.$root, $root_name)?; )?
                )*
                $(
                    if extended {
                        writer.additions(known, &self.unknown);
                        $( writer.addition::<$add_type, $crate::per::notation::codec!($($add_codec)?)>(&self.$add, $add_name)?; )*
                        writer.unknown_additions(known.len(), &self.unknown);
                    }
                )?
                Ok(())
            }

            fn to_json(&self) -> $crate::per::json::Value {
                let mut members = $crate::per::json::Members::default();
                $(
                    $( members.member::<$req_type, $crate::per::notation::codec!($($req_codec)?)>($root_name, &self.$root); )?
                    $( members.optional::<$opt_type, $crate::per::notation::codec!($($opt_codec)?)>($root_name, &self.$root); )?
                )*
                $(
                    $( members.optional::<$add_type, $crate::per::notation::codec!($($add_codec)?)>($add_name, &self.$add); )*
                    members.unknown(&self.unknown);
                )?
                members.finish()
            }

            fn from_json(value: &$crate::per::json::Value) -> $crate::per::Result<Self> {
                let mut description = $crate::per::json::Description::new(value)?;
                let value = $name {
                    $(
                        $( $root: description.member::<$req_type, $crate::per::notation::codec!($($req_codec)?)>($root_name)?, )?
                        $( $root: description.optional::<$opt_type, $crate::per::notation::codec!($($opt_codec)?)>($root_name)?, )?
                    )*
                    $(
                        $( $add: description.optional::<$add_type, $crate::per::notation::codec!($($add_codec)?)>($add_name)?, )*
                        unknown: description.unknown(0 $( + $crate::per::notation::one!($add) )*)?,
                    )?
                };
                description.finish()?;
                Ok(value)
            }
        }
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
                $( $add_index:literal $add:ident $add_name:literal $( : $add_type:ty $(as $add_codec:ty)? )?, )*
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

        #[allow(unused_variables, unreachable_patterns)]
        impl $crate::per::Type for $name {
            fn decode(reader: &mut $crate::per::Reader) -> $crate::per::Result<Self> {
                let (extension, index) = reader.alternative(Self::EXTENSIBLE, Self::ROOTS)?;
                $(
                    if extension {
                        let open = reader.enter_open()?;
                        let value = match index {
                            $( $add_index => $name::$add $( (reader.member::<$add_type, $crate::per::notation::codec!($($add_codec)?)>($add_name)?) )?, )*
                            _ => $name::Unrecognized(reader.unknown_alternative(index)?),
                        };
                        reader.leave_open(open);
                        return Ok(value);
                    }
                )?
                Ok(match index {
                    $( $index => $name::$alt $( (reader.member::<$type, $crate::per::notation::codec!($($codec)?)>($alt_name)?) )?, )*
                    _ => return Err(reader.error($crate::per::Kind::BadAlternative)),
                })
            }

            fn encode(&self, writer: &mut $crate::per::Writer) -> $crate::per::Result<()> {
                match self {
                    $(
                        $name::$alt $( ($crate::per::notation::bind!(value $type)) )? => {
                            writer.root_alternative(Self::EXTENSIBLE, Self::ROOTS, $index)?;
                            $( writer.member::<$type, $crate::per::notation::codec!($($codec)?)>(value, $alt_name)?; )?
                        }
                    )*
                    $(
                        $(
                            $name::$add $( ($crate::per::notation::bind!(value $add_type)) )? => {
                                writer.extension_alternative($add_index);
                                let open = writer.enter_open()?;
                                $( writer.member::<$add_type, $crate::per::notation::codec!($($add_codec)?)>(value, $add_name)?; )?
                                writer.leave_open(open);
                            }
                        )*
                        $name::Unrecognized(unknown) => writer.unknown_alternative(unknown),
                    )?
                }
                Ok(())
            }

            fn to_json(&self) -> $crate::per::json::Value {
                match self {
                    $(
                        $name::$alt $( ($crate::per::notation::bind!(value $type)) )? => {
                            let described = $crate::per::json::Value::Null;
                            $( let described = <$crate::per::notation::codec!($($codec)?) as $crate::per::Codec<$type>>::to_json(value); )?
                            $crate::per::json::named($alt_name, described)
                        }
                    )*
                    $(
                        $(
                            $name::$add $( ($crate::per::notation::bind!(value $add_type)) )? => {
                                let described = $crate::per::json::Value::Null;
                                $( let described = <$crate::per::notation::codec!($($add_codec)?) as $crate::per::Codec<$add_type>>::to_json(value); )?
                                $crate::per::json::named($add_name, described)
                            }
                        )*
                        $name::Unrecognized(unknown) => $crate::per::json::unknown_alternative(unknown),
                    )?
                }
            }

            fn from_json(value: &$crate::per::json::Value) -> $crate::per::Result<Self> {
                let (name, value) = $crate::per::json::only_member(value)?;
                Ok(match name {
                    $( $alt_name => $name::$alt $( ($crate::per::json::chosen::<$type, $crate::per::notation::codec!($($codec)?)>($alt_name, value)?) )?, )*
                    $(
                        $( $add_name => $name::$add $( ($crate::per::json::chosen::<$add_type, $crate::per::notation::codec!($($add_codec)?)>($add_name, value)?) )?, )*
                        _ => $name::Unrecognized($crate::per::json::unknown_chosen(name, value)?),
                    )?
                    _ => return Err($crate::per::json::wanted("the name of an alternative")),
                })
            }
        }
    };
}

/// An extensible ENUMERATED without additions so far.
macro_rules! enumerated {
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
            fn decode(reader: &mut $crate::per::Reader) -> $crate::per::Result<Self> {
                match reader.alternative(true, [$( $index ),*].len())? {
                    (true, index) => Ok($name::Unrecognized(index)),
                    $( (false, $index) => Ok($name::$item), )*
                    _ => Err(reader.error($crate::per::Kind::BadAlternative)),
                }
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

            fn from_json(value: &$crate::per::json::Value) -> $crate::per::Result<Self> {
                match value.as_str() {
                    $( Some($item_name) => Ok($name::$item), )*
                    _ => $crate::per::json::unknown_item_index(value).map($name::Unrecognized),
                }
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

pub(crate) use {bind, choice, codec, enumerated, extensible, given, one, sequence};
