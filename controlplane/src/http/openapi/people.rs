//! Operations about people: signing in, users, teams, keys, and the rules for them.

use super::operation::{Operation, delete, get, patch, post, put, under};
use ccag_admin_api::{
    AddMember, ClientSessionList, CreateKey, CreateScimToken, CreateSetupToken, CreateTeam, CreateToken,
    CreateUser, CreatedKey, CreatedScimToken, CreatedSetupToken, CreatedToken, EnableScim, KeyList, KeyView,
    ListClientSessions, ListKeys, ListMembers, ListTeams, ListUsers, LoginRequest, LoginResponse, Me,
    PolicyList, PolicyPreview, PolicyView, ProviderList, ProviderTest, ProviderView, ScimAdminGroups,
    ScimStatus, ScimTokenList, SetTeam, SetupSettings, SignInSettings, SignedOut, TeamList, TeamView,
    TokenList, UpdateKey, UpdateTeam, UpdateUser, UserList, UserView, WritePolicy, WriteProvider, paths,
};
use ccag_domain::{KeyId, PolicyId, ProviderId, SessionId, TeamId, UserId};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.extend(under("Signing in", signing_in()));
    all.extend(under("Keys", keys()));
    all.extend(under("Users", users()));
    all.extend(under("Teams", teams()));
    all.extend(under("Identity providers", providers()));
    all.extend(under("Policies", policies()));
    all
}

fn signing_in() -> Vec<Operation> {
    vec![
        post(
            paths::LOGIN,
            "signIn",
            "Signs in with a user name and a password, and gives a session's token.",
        )
        .takes::<LoginRequest>()
        .gives::<LoginResponse>(),
        post(
            paths::LOGOUT,
            "signOut",
            "Ends the session of the token that is sent along.",
        ),
        get(paths::ME, "showMe", "Says who is signed in, and until when.").gives::<Me>(),
        get(
            paths::SIGN_IN_OPTIONS,
            "listWaysIn",
            "Lists the identity providers with which people sign in.",
        )
        .gives_any_json(),
        get(
            paths::SIGN_IN,
            "showSignInSettings",
            "Shows the settings of signing in.",
        )
        .gives::<SignInSettings>(),
        put(
            paths::SIGN_IN,
            "setSignInSettings",
            "Sets the settings of signing in.",
        )
        .takes::<SignInSettings>()
        .gives::<SignInSettings>(),
        post(
            paths::SIGNING_KEYS_ROTATE,
            "rotateSigningKeys",
            "Replaces the key that signs clients' sessions.",
        ),
        get(
            paths::CLIENT_SESSIONS,
            "listClientSessions",
            "Lists the machines on which Claude Code is signed in.",
        )
        .asks::<ListClientSessions>()
        .gives::<ClientSessionList>(),
        delete(
            paths::CLIENT_SESSION,
            "endClientSession",
            "Signs Claude Code out on one machine.",
        )
        .of::<KeyId>(),
        get(
            paths::SETUP_SETTINGS,
            "showSetupSettings",
            "Shows how `/setup` sets machines up.",
        )
        .gives::<SetupSettings>(),
        put(
            paths::SETUP_SETTINGS,
            "setSetupSettings",
            "Sets how `/setup` sets machines up.",
        )
        .takes::<SetupSettings>()
        .gives::<SetupSettings>(),
    ]
}

fn keys() -> Vec<Operation> {
    vec![
        get(paths::KEYS, "listKeys", "Lists virtual keys, the newest first.")
            .asks::<ListKeys>()
            .gives::<KeyList>(),
        post(
            paths::KEYS,
            "createKey",
            "Makes a virtual key. Its secret is in this answer and nowhere else.",
        )
        .takes::<CreateKey>()
        .makes::<CreatedKey>(),
        get(paths::KEY, "showKey", "Shows a virtual key.")
            .of::<KeyId>()
            .gives::<KeyView>(),
        patch(paths::KEY, "updateKey", "Changes a virtual key.")
            .of::<KeyId>()
            .takes::<UpdateKey>()
            .gives::<KeyView>(),
        delete(
            paths::KEY,
            "deleteKey",
            "Deletes a virtual key; what it has used stays in the ledger.",
        )
        .of::<KeyId>(),
        post(
            paths::KEY_REVOKE,
            "revokeKey",
            "Revokes a virtual key: within a second it is refused everywhere.",
        )
        .of::<KeyId>()
        .gives::<KeyView>(),
        post(
            paths::KEY_SETUP_TOKEN,
            "createSetupToken",
            "Makes a token with which one machine fetches the key once.",
        )
        .of::<KeyId>()
        .takes::<CreateSetupToken>()
        .makes::<CreatedSetupToken>(),
    ]
}

fn users() -> Vec<Operation> {
    vec![
        get(paths::USERS, "listUsers", "Lists users by name.")
            .asks::<ListUsers>()
            .gives::<UserList>(),
        post(paths::USERS, "createUser", "Makes a user or a service account.")
            .takes::<CreateUser>()
            .makes::<UserView>(),
        get(paths::USER, "showUser", "Shows a user.")
            .of::<UserId>()
            .gives::<UserView>(),
        patch(paths::USER, "updateUser", "Changes a user.")
            .of::<UserId>()
            .takes::<UpdateUser>()
            .gives::<UserView>(),
        put(
            paths::USER,
            "replaceUser",
            "Changes a user: the same as PATCH, for clients that only have PUT.",
        )
        .of::<UserId>()
        .takes::<UpdateUser>()
        .gives::<UserView>(),
        delete(
            paths::USER,
            "deleteUser",
            "Deletes a user and revokes their keys; what they have used stays in the ledger.",
        )
        .of::<UserId>(),
        put(
            paths::USER_TEAM,
            "setUserTeam",
            "Puts a user into a team, or out of theirs.",
        )
        .of::<UserId>()
        .takes::<SetTeam>()
        .gives::<UserView>(),
        post(
            paths::USER_SUSPEND,
            "suspendUser",
            "Suspends a user: nothing of theirs is let in.",
        )
        .of::<UserId>()
        .gives::<UserView>(),
        post(
            paths::USER_ACTIVATE,
            "activateUser",
            "Lets a suspended user in again.",
        )
        .of::<UserId>()
        .gives::<UserView>(),
        post(
            paths::USER_SIGN_OUT,
            "signUserOut",
            "Signs a user out everywhere.",
        )
        .of::<UserId>()
        .gives::<SignedOut>(),
        get(
            paths::USER_POLICY,
            "showUserPolicy",
            "Shows which policies apply to a user, and what comes of them.",
        )
        .of::<UserId>()
        .gives::<PolicyPreview>(),
        get(
            paths::USER_TOKENS,
            "listTokens",
            "Lists the API tokens of a service account.",
        )
        .of::<UserId>()
        .gives::<TokenList>(),
        post(
            paths::USER_TOKENS,
            "createToken",
            "Makes an API token for a service account. Its secret is in this answer and nowhere else.",
        )
        .of::<UserId>()
        .takes::<CreateToken>()
        .makes::<CreatedToken>(),
        delete(paths::USER_TOKEN, "revokeToken", "Revokes an API token.")
            .of::<UserId>()
            .of::<SessionId>(),
    ]
}

fn teams() -> Vec<Operation> {
    vec![
        get(paths::TEAMS, "listTeams", "Lists teams by name.")
            .asks::<ListTeams>()
            .gives::<TeamList>(),
        post(paths::TEAMS, "createTeam", "Makes a team.")
            .takes::<CreateTeam>()
            .makes::<TeamView>(),
        get(paths::TEAM, "showTeam", "Shows a team.")
            .of::<TeamId>()
            .gives::<TeamView>(),
        patch(paths::TEAM, "updateTeam", "Changes a team.")
            .of::<TeamId>()
            .takes::<UpdateTeam>()
            .gives::<TeamView>(),
        delete(
            paths::TEAM,
            "deleteTeam",
            "Deletes a team that nobody and no key belongs to.",
        )
        .of::<TeamId>(),
        get(paths::TEAM_MEMBERS, "listMembers", "Lists the members of a team.")
            .of::<TeamId>()
            .asks::<ListMembers>()
            .gives::<UserList>(),
        post(paths::TEAM_MEMBERS, "addMember", "Puts a user into a team.")
            .of::<TeamId>()
            .takes::<AddMember>(),
        delete(paths::TEAM_MEMBER, "removeMember", "Takes a user out of a team.")
            .of::<TeamId>()
            .of::<UserId>(),
    ]
}

fn providers() -> Vec<Operation> {
    vec![
        get(paths::PROVIDERS, "listProviders", "Lists identity providers.").gives::<ProviderList>(),
        post(paths::PROVIDERS, "createProvider", "Adds an identity provider.")
            .takes::<WriteProvider>()
            .makes::<ProviderView>(),
        get(paths::PROVIDER, "showProvider", "Shows an identity provider.")
            .of::<ProviderId>()
            .gives::<ProviderView>(),
        put(
            paths::PROVIDER,
            "replaceProvider",
            "Replaces the settings of an identity provider.",
        )
        .of::<ProviderId>()
        .takes::<WriteProvider>()
        .gives::<ProviderView>(),
        delete(paths::PROVIDER, "deleteProvider", "Removes an identity provider.").of::<ProviderId>(),
        post(
            paths::PROVIDER_TEST,
            "testProvider",
            "Asks an identity provider what signing in needs.",
        )
        .of::<ProviderId>()
        .gives::<ProviderTest>(),
        get(
            paths::IDP_SCIM,
            "showScim",
            "Shows whether an identity provider provisions users by SCIM.",
        )
        .of::<ProviderId>()
        .gives::<ScimStatus>(),
        put(
            paths::IDP_SCIM,
            "setScim",
            "Lets an identity provider provision users by SCIM, or stops it.",
        )
        .of::<ProviderId>()
        .takes::<EnableScim>()
        .gives::<ScimStatus>(),
        get(
            paths::IDP_SCIM_TOKENS,
            "listScimTokens",
            "Lists an identity provider's tokens for SCIM.",
        )
        .of::<ProviderId>()
        .gives::<ScimTokenList>(),
        post(
            paths::IDP_SCIM_TOKENS,
            "createScimToken",
            "Makes a token for SCIM. Its secret is in this answer and nowhere else.",
        )
        .of::<ProviderId>()
        .takes::<CreateScimToken>()
        .makes::<CreatedScimToken>(),
        delete(
            paths::IDP_SCIM_TOKEN,
            "revokeScimToken",
            "Revokes a token for SCIM.",
        )
        .of::<ProviderId>(),
        get(
            paths::IDP_SCIM_ADMIN_GROUPS,
            "showScimAdminGroups",
            "Shows which of a provider's groups are admins.",
        )
        .of::<ProviderId>()
        .gives::<ScimAdminGroups>(),
        put(
            paths::IDP_SCIM_ADMIN_GROUPS,
            "setScimAdminGroups",
            "Sets which of a provider's groups are admins.",
        )
        .of::<ProviderId>()
        .takes::<ScimAdminGroups>()
        .gives::<ScimAdminGroups>(),
    ]
}

fn policies() -> Vec<Operation> {
    vec![
        get(paths::POLICIES, "listPolicies", "Lists policies.").gives::<PolicyList>(),
        post(paths::POLICIES, "createPolicy", "Makes a policy.")
            .takes::<WritePolicy>()
            .makes::<PolicyView>(),
        get(paths::POLICY, "showPolicy", "Shows a policy.")
            .of::<PolicyId>()
            .gives::<PolicyView>(),
        put(paths::POLICY, "replacePolicy", "Replaces a policy.")
            .of::<PolicyId>()
            .takes::<WritePolicy>()
            .gives::<PolicyView>(),
        delete(paths::POLICY, "deletePolicy", "Deletes a policy.").of::<PolicyId>(),
    ]
}
