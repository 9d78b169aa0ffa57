//! Filters (RFC 7644, §3.4.2.2).

use crate::bjensen;
use ccag_scim::{Filter, Kind, ScimType};
use serde_json::json;

fn matches(filter: &str) -> bool {
    let mut user = bjensen();
    user.insert("id".into(), "user_01".into());
    user.insert(
        "schemas".into(),
        json!(ccag_scim::resource::schemas(Kind::User, &bjensen())),
    );
    user.insert(
        "meta".into(),
        json!({"resourceType": "User", "lastModified": "2011-05-13T04:42:34.500Z"}),
    );
    let parsed = Filter::parse(filter).unwrap_or_else(|e| panic!("{filter}: {e}"));
    parsed.matches(Kind::User, &user).unwrap()
}

#[test]
fn the_examples_of_the_rfc_select_what_they_should() {
    for filter in [
        r#"userName eq "bjensen@example.com""#,
        r#"name.familyName co "ense""#,
        r#"userName sw "B""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "b""#,
        "title pr",
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified ge "2011-05-13T06:42:34.5+02:00""#,
        r#"meta.lastModified lt "2011-05-13T04:42:35Z""#,
        r#"title pr and userType eq "Employee""#,
        r#"title pr or userType eq "Intern""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType ne "Intern" and not (emails co "example.net" or emails.value co "example.org")"#,
        r#"userType eq "Employee" and (emails.type eq "work")"#,
        r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
        r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
        "(meta.resourceType eq User) or (meta.resourceType eq Group)",
        r#"emails[type eq "work" and primary eq true]"#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "tour operations""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value sw "2611""#,
    ] {
        assert!(matches(filter), "{filter}");
    }
    for filter in [
        r#"userName eq "someone@example.com""#,
        r#"emails[type eq "home" and value co "@example.com"]"#,
        r#"emails[not (type eq "work")] and nickName pr"#,
        r#"meta.lastModified gt "2011-05-13T04:42:34.5Z""#,
        r#"title pr and userType eq "Intern""#,
        r#"nothing eq "x""#,
        r#"urn:example:other:2.0:User:userName sw "b""#,
    ] {
        assert!(!matches(filter), "{filter}");
    }
}

#[test]
fn names_operators_and_most_text_are_compared_whatever_the_case() {
    for filter in [
        r#"USERNAME EQ "BJENSEN@EXAMPLE.COM""#,
        r#"Emails[Type Eq "WORK" And Primary eq True]"#,
        r#"NOT (userName eq "x") AND active eq TRUE"#,
        r#"active eq "True""#,
        r#"externalId eq "701984""#,
    ] {
        assert!(matches(filter), "{filter}");
    }
    assert!(!matches(r#"id eq "USER_01""#), "ids are exact");
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    assert!(matches(r#"title pr or title pr and nickName pr"#));
    assert!(!matches(r#"(title pr or title pr) and nickName pr"#));
    assert!(matches(r#"not (nickName pr) and title pr"#));
    assert!(matches(r#"nickName eq null and title ne null"#));
}

#[test]
fn text_may_be_in_any_script_and_hold_anything() {
    for (name, filter) in [
        ("Žofie Novák", r#"displayName eq "žofie novák""#),
        ("李小龍", r#"displayName sw "李""#),
        ("a\"b\\c] and (d", r#"displayName eq "a\"b\\c] and (d""#),
        ("🦀 crab", r#"displayName co "🦀""#),
        ("tab", r#"displayName eq "\u0074ab""#),
    ] {
        let mut user = bjensen();
        user.insert("displayName".into(), name.into());
        let filter = Filter::parse(filter).unwrap();
        assert!(filter.matches(Kind::User, &user).unwrap(), "{name}");
    }
}

#[test]
fn what_is_no_filter_is_refused_with_the_place() {
    for filter in [
        "",
        "userName",
        "userName eq",
        "eq \"x\"",
        "userName eq bjensen",
        "userName eq \"x",
        "userName xx \"x\"",
        "(userName pr",
        "userName pr)",
        "userName pr and",
        "userName pr title pr",
        "emails[type eq \"x\"",
        "emails[type[x pr]]",
        "not userName pr",
        "userName eq {}",
        "ü eq \"x\"",
        "userName eq \"\\ud800\"",
        "userName eq -",
        "name.a.b eq 1",
        "[x pr]",
        "()",
    ] {
        let refused = Filter::parse(filter).unwrap_err();
        assert_eq!(refused.kind, Some(ScimType::InvalidFilter), "{filter}");
        assert!(!refused.detail.is_empty());
    }
    let deep = format!("{}title pr{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(Filter::parse(&deep).unwrap_err().detail.contains("nested"));
    let nots = format!("{}title pr{}", "not (".repeat(2_000), ")".repeat(2_000));
    assert!(Filter::parse(&nots).is_err());
    // Many terms side by side are no depth.
    let long = vec!["title pr"; 1_000].join(" and ");
    assert!(matches(&long));
}

#[test]
fn what_has_no_order_is_not_ordered() {
    for filter in [
        "active gt true",
        r#"emails[primary lt true]"#,
        r#"x509Certificates gt "a""#,
    ] {
        let filter = Filter::parse(filter).unwrap();
        let refused = filter.matches(Kind::User, &bjensen()).unwrap_err();
        assert_eq!(refused.kind, Some(ScimType::InvalidFilter));
        assert_eq!(filter.check(Kind::User), Err(refused));
    }
}
