//! The names of models: which model somebody means, and which names are taken.

use super::validate;
use crate::store::entity::model;
use crate::store::{StoreError, rows};
use ccag_domain::{Code, Model, ModelName, Problem};

/// The models of the catalogue.
pub(crate) fn models(rows: &[model::Model]) -> Result<Vec<Model>, StoreError> {
    rows.iter().map(rows::model).collect()
}

/// Every name that means a model: its own, its aliases, and its Bedrock id as clients may say it.
fn names(model: &Model) -> impl Iterator<Item = ModelName> + '_ {
    [model.name.clone(), ModelName::canonical(&model.bedrock_id)]
        .into_iter()
        .chain(model.aliases.iter().cloned())
}

/// The model that somebody means, however they name it: as data planes understand clients.
pub(super) fn find<'m>(models: &'m [Model], said: &str) -> Option<&'m Model> {
    let exactly = |name: &ModelName| {
        models
            .iter()
            .find(|m| m.name == *name)
            .or_else(|| models.iter().find(|m| names(m).any(|n| n == *name)))
    };
    let name = ModelName::canonical(said);
    exactly(&name).or_else(|| exactly(&name.without_date()?))
}

/// Refuses a model one of whose names means another model: one name, one price, one permission.
pub(super) fn refuse_collisions(model: &Model, others: &[Model]) -> Result<(), Problem> {
    for (field, name) in [
        ("name", model.name.clone()),
        ("bedrock_id", ModelName::canonical(&model.bedrock_id)),
    ]
    .into_iter()
    .chain(model.aliases.iter().map(|alias| ("aliases", alias.clone())))
    {
        let other = others
            .iter()
            .find(|o| o.name != model.name && names(o).any(|taken| taken == name));
        if let Some(other) = other {
            return Err(Problem::new(
                Code::Conflict,
                format!("`{name}` already means the model `{}`.", other.name),
            )
            .field(field));
        }
    }
    Ok(())
}

/// Reads a name that an admin gives: it must be in the form that names are looked up by.
pub(super) fn name(field: &str, text: &str) -> Result<ModelName, Problem> {
    let text = validate::name(field, text)?;
    let name = ModelName::canonical(&text);
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if name.as_str().is_empty() || name.as_str().len() > 100 || !name.as_str().bytes().all(fits) {
        return Err(Problem::new(
            Code::InvalidRequest,
            format!(
                "`{field}` must be a name such as `claude-opus-5-5`: lower-case letters, digits, `-`, `_` and `.`, at most 100."
            ),
        )
        .field(field));
    }
    Ok(name)
}

/// Refuses what cannot be a foundation model's id.
pub(super) fn bedrock_id(text: &str) -> Result<String, Problem> {
    let invalid = |message: String| Problem::new(Code::InvalidRequest, message).field("bedrock_id");
    let text = text.trim();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if text.is_empty() || text.len() > 140 || !text.bytes().all(fits) || text.starts_with("arn:") {
        return Err(invalid(
            "`bedrock_id` must be the id of a foundation model, such as `anthropic.claude-opus-5-5`, and not an ARN."
                .to_owned(),
        ));
    }
    let prefixed = ccag_domain::Geography::WITH_PREFIX
        .into_iter()
        .find_map(|geography| {
            let rest = text.strip_prefix(geography.as_str())?.strip_prefix('.')?;
            rest.contains('.').then_some(rest)
        });
    match prefixed {
        Some(rest) => Err(invalid(format!(
            "`bedrock_id` is the id of the foundation model, without a geography: `{rest}`. Name the geography in `geographies`."
        ))),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::catalogue;

    #[test]
    fn every_way_to_name_a_model_finds_it() {
        let models = catalogue::models();
        for said in [
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
            "claude-haiku-4-5[1m]",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
        ] {
            assert_eq!(
                find(&models, said).unwrap().name.as_str(),
                "claude-haiku-4-5",
                "{said}"
            );
        }
        assert!(find(&models, "claude-haiku").is_none());
        assert!(find(&models, "haiku-4-5").is_none());
    }

    #[test]
    fn a_name_means_one_model() {
        let models = catalogue::models();
        let mut new = models[0].clone();
        new.name = ModelName::canonical("claude-new");
        new.bedrock_id = "anthropic.claude-new".into();
        new.aliases = vec![ModelName::canonical("newest")];
        refuse_collisions(&new, &models).unwrap();
        new.aliases
            .push(ModelName::canonical("claude-haiku-4-5-20251001"));
        assert_eq!(
            refuse_collisions(&new, &models).unwrap_err().field.as_deref(),
            Some("aliases")
        );
        new.aliases.clear();
        new.bedrock_id = "anthropic.claude-opus-5-5".into();
        assert_eq!(
            refuse_collisions(&new, &models).unwrap_err().field.as_deref(),
            Some("bedrock_id")
        );
        // A model does not collide with itself.
        refuse_collisions(&models[3], &models).unwrap();
    }

    #[test]
    fn a_bedrock_id_has_no_geography() {
        assert!(bedrock_id("anthropic.claude-opus-5-5").is_ok());
        for bad in [
            "",
            "us.anthropic.claude-x",
            "us-gov.anthropic.x",
            "arn:aws:bedrock:::foundation-model/x",
            "a b",
        ] {
            assert!(bedrock_id(bad).is_err(), "{bad}");
        }
    }
}
