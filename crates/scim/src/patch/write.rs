//! One operation on one attribute.

use super::Verb;
use crate::filter::{Filter, Op};
use crate::path::{AttrPath, Path, Target};
use crate::schema::{Attribute, Mutability, Schema, Type};
use crate::value::{plural, single, too_many};
use crate::{Kind, MAX_VALUES, Object, ScimError, ScimType};
use serde_json::Value;

/// Does it. Where the client has not named the attribute on purpose (`strict` is false), what only we say is left alone.
pub(super) fn at(
    kind: Kind,
    resource: &mut Object,
    verb: Verb,
    path: &Path,
    value: Option<&Value>,
    strict: bool,
) -> Result<(), ScimError> {
    match path.attr.target(kind) {
        None => Ok(()),
        Some(Target::Extension(schema)) => whole_extension(kind, resource, verb, schema, value, strict),
        Some(Target::Attribute {
            extension,
            attribute,
            sub,
        }) => {
            let fixed =
                attribute.is_read_only() || sub.is_some_and(|sub| sub.mutability != Mutability::ReadWrite);
            if fixed {
                return if strict {
                    Err(read_only(sub.unwrap_or(attribute)))
                } else {
                    Ok(())
                };
            }
            let place = Place {
                attribute,
                sub,
                filter: path.filter.as_ref(),
            };
            match extension {
                None => place.write(resource, verb, value),
                Some(schema) => {
                    let mut parts = match resource.remove(schema.urn) {
                        Some(Value::Object(parts)) => parts,
                        _ => Object::new(),
                    };
                    let written = place.write(&mut parts, verb, value);
                    if !parts.is_empty() {
                        resource.insert(schema.urn.to_owned(), parts.into());
                    }
                    written
                }
            }
        }
    }
}

fn whole_extension(
    kind: Kind,
    resource: &mut Object,
    verb: Verb,
    schema: &'static Schema,
    value: Option<&Value>,
    strict: bool,
) -> Result<(), ScimError> {
    let value = value.filter(|value| !value.is_null());
    let parts = match (verb, value) {
        (Verb::Remove, _) => {
            resource.remove(schema.urn);
            return Ok(());
        }
        (_, Some(Value::Object(parts))) => parts,
        _ if !strict => return Ok(()),
        _ => {
            return Err(invalid(
                "The value of an extension has to be an object with its attributes.",
            ));
        }
    };
    for (name, value) in parts {
        let Some(mut attr) = AttrPath::parse(name).filter(|attr| attr.urn.is_none()) else {
            continue;
        };
        attr.urn = Some(schema.urn.to_owned());
        at(
            kind,
            resource,
            verb,
            &Path { attr, filter: None },
            Some(value),
            false,
        )?;
    }
    Ok(())
}

fn invalid(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

fn read_only(attribute: &Attribute) -> ScimError {
    let detail = format!("`{}` cannot be changed.", attribute.name);
    ScimError::of(ScimType::Mutability, detail)
}

fn no_target() -> ScimError {
    ScimError::of(
        ScimType::NoTarget,
        "The filter in the path selects no value that could be replaced.",
    )
}

/// Where to write.
struct Place<'a> {
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    filter: Option<&'a Filter>,
}

impl Place<'_> {
    fn write(&self, holder: &mut Object, verb: Verb, value: Option<&Value>) -> Result<(), ScimError> {
        if verb != Verb::Remove && value.is_none() {
            let detail = format!("An add or replace of `{}` needs a `value`.", self.attribute.name);
            return Err(invalid(detail));
        }
        let value = value.unwrap_or(&Value::Null);
        if !self.attribute.multi {
            return self.one(holder, verb, value);
        }
        let before = match holder.remove(self.attribute.name) {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        };
        let mut values = before.clone();
        self.many(&mut values, verb, value)?;
        if values.len() > MAX_VALUES {
            return Err(too_many(self.attribute));
        }
        settle_primary(&before, &mut values);
        if !values.is_empty() {
            holder.insert(self.attribute.name.to_owned(), values.into());
        }
        Ok(())
    }

    fn one(&self, holder: &mut Object, verb: Verb, value: &Value) -> Result<(), ScimError> {
        let name = self.attribute.name;
        if self.filter.is_some() {
            return Err(ScimError::of(
                ScimType::InvalidPath,
                format!("`{name}` has one value: its path takes no filter."),
            ));
        }
        if let Some(sub) = self.sub {
            let mut parts = match holder.remove(name) {
                Some(Value::Object(parts)) => parts,
                _ => Object::new(),
            };
            set(&mut parts, sub, verb, value)?;
            if !parts.is_empty() {
                holder.insert(name.to_owned(), parts.into());
            }
            return Ok(());
        }
        if verb == Verb::Remove {
            if self.attribute.required {
                let detail = format!("`{name}` has to have a value and cannot be removed.");
                return Err(ScimError::of(ScimType::Mutability, detail));
            }
            holder.remove(name);
            return Ok(());
        }
        let Some(new) = single(self.attribute, value)? else {
            if let Value::Object(given) = value
                && let Some(Value::Object(parts)) = holder.get_mut(name)
            {
                forget_nulls(self.attribute, given, parts);
            } else {
                holder.remove(name);
            }
            return Ok(());
        };
        match (holder.get_mut(name), new) {
            (Some(Value::Object(parts)), Value::Object(new)) => {
                if let Value::Object(given) = value {
                    forget_nulls(self.attribute, given, parts);
                }
                parts.extend(new);
            }
            (_, new) => {
                holder.insert(name.to_owned(), new);
            }
        }
        Ok(())
    }

    fn many(&self, values: &mut Vec<Value>, verb: Verb, value: &Value) -> Result<(), ScimError> {
        let Some(filter) = self.filter else {
            return self.all(values, verb, value);
        };
        let mut chosen = Vec::new();
        for (at, element) in values.iter().enumerate() {
            if filter.matches_element(self.attribute, element)? {
                chosen.push(at);
            }
        }
        if verb == Verb::Remove {
            return self.remove_chosen(values, &chosen);
        }
        if chosen.is_empty() {
            let mut fresh = self.implied(filter, verb).ok_or_else(no_target)?;
            self.fill(&mut fresh, verb, value)?;
            values.push(fresh.into());
            return Ok(());
        }
        for at in chosen {
            let Some(Value::Object(parts)) = values.get_mut(at) else {
                continue;
            };
            // The values that were selected are replaced, but go on being what they were selected for.
            if verb == Verb::Replace && self.sub.is_none() {
                *parts = equalities(self.attribute, filter).unwrap_or_default();
            }
            self.fill(parts, verb, value)?;
        }
        Ok(())
    }

    /// Without a filter.
    fn all(&self, values: &mut Vec<Value>, verb: Verb, value: &Value) -> Result<(), ScimError> {
        if let Some(sub) = self.sub {
            if values.is_empty() && verb != Verb::Remove {
                values.push(Object::new().into());
            }
            for element in values.iter_mut() {
                if let Value::Object(parts) = element {
                    set(parts, sub, verb, value)?;
                }
            }
            values.retain(|element| !is_hollow(self.attribute, element));
            return Ok(());
        }
        match verb {
            Verb::Remove if value.is_null() => values.clear(),
            Verb::Remove => {
                let gone = plural(self.attribute, value)?;
                values.retain(|element| !gone.iter().any(|gone| covers(element, gone)));
            }
            Verb::Replace => {
                values.clear();
                merge(values, plural(self.attribute, value)?);
            }
            Verb::Add => merge(values, plural(self.attribute, value)?),
        }
        Ok(())
    }

    fn remove_chosen(&self, values: &mut Vec<Value>, chosen: &[usize]) -> Result<(), ScimError> {
        let mut kept = Vec::with_capacity(values.len());
        for (at, mut element) in values.drain(..).enumerate() {
            let is_chosen = chosen.contains(&at);
            match (is_chosen, self.sub, &mut element) {
                (true, None, _) => continue,
                (true, Some(sub), Value::Object(parts)) => set(parts, sub, Verb::Remove, &Value::Null)?,
                _ => {}
            }
            if !is_chosen || !is_hollow(self.attribute, &element) {
                kept.push(element);
            }
        }
        *values = kept;
        Ok(())
    }

    /// What an element has to be for the filter to select it, where it may be made for that: with an add, or where a usual
    /// type or the primary value is replaced. Microsoft Entra replaces what has never been there.
    fn implied(&self, filter: &Filter, verb: Verb) -> Option<Object> {
        let parts = equalities(self.attribute, filter)?;
        let usual = |(name, value): (&String, &Value)| match self.attribute.part(name) {
            Some(part) if part.of == Type::Boolean => true,
            Some(part) => {
                let text = value.as_str().unwrap_or_default();
                part.canonical
                    .iter()
                    .any(|usual| usual.eq_ignore_ascii_case(text))
                    || (part.name == "type" && part.canonical.is_empty())
            }
            None => false,
        };
        let may = verb == Verb::Add || (self.sub.is_some() && parts.iter().all(usual));
        may.then_some(parts)
    }

    /// Writes the value into an element.
    fn fill(&self, parts: &mut Object, verb: Verb, value: &Value) -> Result<(), ScimError> {
        if let Some(sub) = self.sub {
            return set(parts, sub, verb, value);
        }
        if let Some(Value::Object(new)) = single(self.attribute, value)? {
            parts.extend(new);
        }
        Ok(())
    }
}

/// Sets or takes away a part.
fn set(parts: &mut Object, sub: &Attribute, verb: Verb, value: &Value) -> Result<(), ScimError> {
    let new = if verb == Verb::Remove {
        None
    } else {
        single(sub, value)?
    };
    match new {
        Some(new) => parts.insert(sub.name.to_owned(), new),
        None => parts.remove(sub.name),
    };
    Ok(())
}

fn forget_nulls(attribute: &Attribute, given: &Object, parts: &mut Object) {
    for (name, _) in given.iter().filter(|(_, value)| value.is_null()) {
        if let Some(part) = attribute.part(name) {
            parts.remove(part.name);
        }
    }
}

/// The parts that a filter of nothing but equalities wants.
fn equalities(attribute: &Attribute, filter: &Filter) -> Option<Object> {
    let mut parts = Object::new();
    for term in filter.terms() {
        let Filter::Compare(path, Op::Eq, value) = term else {
            return None;
        };
        let part = attribute.part(&path.name).filter(|part| !part.is_read_only())?;
        parts.insert(part.name.to_owned(), single(part, value).ok()??);
    }
    Some(parts)
}

/// An element without what it is there for.
fn is_hollow(attribute: &Attribute, element: &Value) -> bool {
    let Value::Object(parts) = element else {
        return false;
    };
    if attribute.part("value").is_some() {
        return !parts.contains_key("value");
    }
    parts.keys().all(|name| name == "type" || name == "primary")
}

/// Whether an element has all that another says.
fn covers(element: &Value, other: &Value) -> bool {
    match (element, other) {
        (Value::Object(element), Value::Object(other)) => {
            !other.is_empty() && other.iter().all(|(name, value)| element.get(name) == Some(value))
        }
        _ => element == other,
    }
}

/// Adds values; one that is there already, by its value and type, takes up what is new.
fn merge(values: &mut Vec<Value>, new: Vec<Value>) {
    for new in new {
        let same = values.iter_mut().find(|old| {
            let key = |value: &Value| (value.get("value").cloned(), value.get("type").cloned());
            **old == new || (new.get("value").is_some() && key(old) == key(&new))
        });
        match (same, new) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (Some(_), _) => {}
            (None, new) => values.push(new),
        }
    }
}

/// One value at most is the primary one: what has just become it wins (RFC 7644, §3.5.2).
fn settle_primary(before: &[Value], values: &mut [Value]) {
    let is_primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    let primary: Vec<usize> = (0..values.len()).filter(|&at| is_primary(&values[at])).collect();
    if primary.len() < 2 || before.is_empty() {
        return;
    }
    let fresh = primary.iter().rev().find(|&&at| !before.contains(&values[at]));
    let wins = fresh.or(primary.first()).copied();
    for at in primary {
        if Some(at) != wins
            && let Value::Object(parts) = &mut values[at]
        {
            parts.insert("primary".to_owned(), false.into());
        }
    }
}
