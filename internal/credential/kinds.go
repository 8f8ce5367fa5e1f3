package credential

import "slices"

// Kind names a kind of credential and so the folder below internal/kind that
// knows how to rotate it.
type Kind string

// The kinds of credential. A new one is a constant here, a line in kinds
// below, one in internal/kind/registry, and its name among the kinds of its
// authority. No other room compares a kind with
// these names: it asks Traits.
const (
	// LDAPPassword is the userPassword of an entry in an LDAP directory.
	LDAPPassword Kind = "ldap-password"
	// ADPassword is the password of an account in an Active Directory domain.
	ADPassword Kind = "ad-password"
	// UserPassword is the password of a person's account in an Active Directory
	// domain: its owner gets a temporary one and must change it.
	UserPassword Kind = "user-password"
	// AppRoleSecretID is the secret-id with which the device logs in to Vault.
	AppRoleSecretID Kind = "approle-secret-id"
	// UserpassPassword is the password of a user of Vault's auth method
	// userpass, with which the device logs in to Vault.
	UserpassPassword Kind = "userpass-password"
	// PostgresPassword is the password of a role of a PostgreSQL cluster.
	PostgresPassword Kind = "postgres-password"
	// VaultToken is a token of Vault that the device has in its configuration:
	// no login gave it, so it is ended, and nothing new is made.
	VaultToken Kind = "vault-token"

	// What only a person can change, in its forms: they differ in which lines
	// of a profile they answer, and in whether Rollcall makes the new value.
	AnyByHand          Kind = "by-hand"
	SecretByHand       Kind = "shared-secret"
	LocalAccountByHand Kind = "local-account"
	APIKeyByHand       Kind = "api-key"
	CloudAccountByHand Kind = "cloud-account"
	MFASeedByHand      Kind = "mfa-seed"
	PurgeByHand        Kind = "purge"
)

// PasswordField is the usual key of a password in a secret of Vault.
const PasswordField = "password"

// kinds has one line for each kind, in the order in which messages name them.
var kinds = []Traits{
	{Kind: LDAPPassword, Word: "password", Field: PasswordField, LargeBatches: true, Answers: accounts},
	{Kind: ADPassword, Word: "password", Field: PasswordField, Answers: accounts},
	{Kind: UserPassword, Word: "password", Field: PasswordField, HandsOver: true, Answers: []LineKind{PassingUserPassword}},
	{Kind: AppRoleSecretID, Word: "secret-id", Field: "secret_id", Login: &Login{
		Method: AppRoleMethod, What: "an AppRole", Example: "approle/esg-01", Below: "role", AliasFrom: "role-id", SecretIDs: true, Source: "vault-approle", Named: "role",
		Makes: []string{"", "/secret-id", "/custom-secret-id", "/bind-secret-id", "/role-id"}}, Answers: vaultLogins},
	{Kind: UserpassPassword, Word: "password", Field: PasswordField, NoMark: true, Login: &Login{
		Method: UserpassMethod, What: "a userpass user", Example: "userpass/esg-01", Below: "users", BareName: true, Source: "vault-userpass", Named: "user",
		Makes: []string{"", "/password"}}, Answers: vaultLogins},
	{Kind: PostgresPassword, Word: "password", Field: PasswordField, NoMark: true, Answers: []LineKind{Database, ServiceLogin}},
	{Kind: VaultToken, Word: "token", Field: "token", OnlyEnds: true, Answers: vaultLogins},
	{Kind: AnyByHand, Word: "secret", Field: valueField, ByHand: &ByPerson{}, AnswersAny: true},
	{Kind: SecretByHand, Word: "shared secret", Field: valueField, ByHand: &ByPerson{Makes: true}, Answers: []LineKind{SharedSecret, SNMP}},
	{Kind: LocalAccountByHand, Word: "password", Field: valueField, ByHand: &ByPerson{Makes: true}, Answers: []LineKind{LocalAccount, ServiceLogin, BackupTarget, Database, SNMP}},
	{Kind: APIKeyByHand, Word: "key", Field: valueField, ByHand: &ByPerson{}, Answers: []LineKind{APIKey, ServiceLogin, SAMLOIDC}},
	{Kind: CloudAccountByHand, Word: "password", Field: valueField, ByHand: &ByPerson{Makes: true}, Answers: []LineKind{CloudAccount, ServiceLogin}},
	{Kind: MFASeedByHand, Word: "seed", Field: valueField, ByHand: &ByPerson{}, Answers: []LineKind{MFASeed}},
	{Kind: PurgeByHand, Word: "copy", Field: valueField, ByHand: &ByPerson{}, Answers: []LineKind{Content, Session, BackupTarget}},
}

// valueField is the key of a value that Rollcall hands over to a person.
const valueField = "value"

// What credentials of several kinds can be: an account of a directory is also
// what a device copies files with, logs in to a database with, or a keytab's.
var (
	accounts    = []LineKind{DirectoryBind, PassingUserPassword, BackupTarget, ServiceLogin, KerberosKeytab, Database}
	vaultLogins = []LineKind{LoginToVault, APIKey, ServiceLogin, CloudAccount}
)

// Traits are what the rest of Rollcall must know of a kind besides its
// authority's methods (kind.Authority). The zero value is that of no kind.
type Traits struct {
	Kind Kind
	// Word is what the secret is called in messages.
	Word string
	// Field is the key in a secret of Vault that holds the value where nothing
	// names one.
	Field string
	// More are the keys of further parts, where a value has several (NewParts).
	More []string
	// LargeBatches: one costs so little that a dispatch shows beside it, so
	// many of them go in larger batches (workflows.BatchSize).
	LargeBatches bool
	// HandsOver: the value is a temporary one, left in Vault for the account's
	// owner to fetch, where no program reads it.
	HandsOver bool
	// NoMark: the authority has no change mark, and a good login with the new
	// value shows by itself that no other is in force.
	NoMark bool
	// Answers are the kinds of line of a device profile that such a credential
	// can be what they are about, the usual one first.
	Answers []LineKind
	// AnswersAny: it can be what any line is about, and no kind of line makes
	// it so by itself.
	AnswersAny bool
	// ByHand is set for what only a person can change, and nil for what
	// Rollcall sets itself.
	ByHand *ByPerson
	// OnlyEnds: Rollcall ends it and sets nothing. Who needs another one gets
	// that by a login of its own, so no place holds a new value.
	OnlyEnds bool
	// Login is set for logins to Vault, and nil for what Vault does not decide
	// on.
	Login *Login
}

// ByPerson is how a kind is changed that only a person can change.
type ByPerson struct {
	// Makes: Rollcall makes the new value where a row does not say.
	Makes bool
}

// Login is how Vault keeps the logins of a kind: each at
// auth/MOUNT/Below/NAME, on an auth mount of type Method.
type Login struct {
	Method  string
	What    string // one of them, for messages
	Example string // of how lists name one, mount/name
	Below   string
	// Makes are the paths, from that of the login on, at which whoever may
	// write gives himself the login: another secret, or none that is asked for.
	Makes []string
	// AliasFrom is the path below the login's that tells the name of its entity
	// alias; empty where that is the login's own name.
	AliasFrom string
	// BareName: what keeps the secret calls the login by its name alone, as
	// people log in with it, without the mount.
	BareName bool
	// SecretIDs: it has any number of secrets beside each other, which Vault
	// lists by an accessor each, with what was noted of them.
	SecretIDs bool
	// Source is the type of source that lists such logins by their mount, and
	// Named its key for their names.
	Source, Named string
}

// Path is the API path of a login of that mount and name, without a slash
// before it.
func (l Login) Path(mount, name string) string {
	return "auth/" + mount + "/" + l.Below + "/" + name
}

// Kinds are all kinds, in the order in which messages name them.
func Kinds() []Kind {
	out := make([]Kind, 0, len(kinds))
	for _, t := range kinds {
		out = append(out, t.Kind)
	}
	return out
}

// Traits of the kind; the zero value if there is no such kind.
func (k Kind) Traits() Traits {
	i := slices.IndexFunc(kinds, func(t Traits) bool { return t.Kind == k })
	if i < 0 {
		return Traits{}
	}
	return kinds[i]
}

// ByHand reports whether only a person can change credentials of the kind.
func (k Kind) ByHand() bool { return k.Traits().ByHand != nil }

// OnlyEnds reports whether credentials of the kind are ended, and none is set.
func (k Kind) OnlyEnds() bool { return k.Traits().OnlyEnds }

// OpensVault reports whether credentials of the kind are logins to Vault.
func (k Kind) OpensVault() bool { return k.Traits().Login != nil }

// LoginOf is the kind of the logins to Vault at auth mounts of that type;
// false if Rollcall rotates none of them.
func LoginOf(method string) (Kind, bool) {
	for _, t := range kinds {
		if t.Login != nil && t.Login.Method == method {
			return t.Kind, true
		}
	}
	return "", false
}
