package credential

import "slices"

// The types of Vault's auth mounts of which Rollcall knows more than who comes
// by them. No other room compares a type with these names: it asks Method, or
// the Login of a kind's traits.
const (
	AppRoleMethod  = "approle"
	UserpassMethod = "userpass"
	LDAPMethod     = "ldap"
)

// Comers are who logs in by an auth method.
type Comers int

const (
	// Anybody: people do.
	Anybody Comers = iota
	// Programs do, and no acceptance makes a person of one.
	Programs
	// MostlyPrograms do, as a rule. An entity does not show by what it logged
	// in there: of a certificate, whether it lies in a device or on a person's
	// card; of type jwt, whether a browser brought the token or a pipeline did
	// (the choice is the mount's configuration, which lets in one of them
	// alone: vault-plugin-auth-jwt, jwtConfig.authType). So the type of the
	// mount decides, and a person may accept the login by its name. At a mount
	// of type oidc people log in by a browser.
	MostlyPrograms
)

// Method is what is to be known of a type of Vault's auth mounts. What is to be
// known of the logins that Rollcall rotates is in the Login of their kind.
type Method struct {
	Type  string
	Comes Comers
	// Followed: the listing reads who may log in there, one by one, or nobody
	// logs in. Of the others it reads who gets which policies.
	Followed bool
	// Places are where a followed one says so, below the mount. "/+" at the end
	// is a folder without what lies below its entries.
	Places []string
	// AsksOthers: it has another system check the password that it is brought,
	// which may be a directory's.
	AsksOthers bool
}

// methods has one line for each type that is not for anybody alone.
var methods = []Method{
	{Type: AppRoleMethod, Comes: Programs, Followed: true, Places: []string{"role/+"}},
	{Type: UserpassMethod, Followed: true, Places: []string{"users/+"}},
	{Type: LDAPMethod, Followed: true, Places: []string{"config", "users/+", "groups/+"}, AsksOthers: true},
	{Type: "token", Comes: Programs, Followed: true},
	{Type: "ns_token", Followed: true},
	{Type: "radius", AsksOthers: true},
	{Type: "okta", AsksOthers: true},
	{Type: "cert", Comes: MostlyPrograms},
	{Type: "jwt", Comes: MostlyPrograms},
	{Type: "kubernetes", Comes: Programs},
	{Type: "aws", Comes: Programs},
	{Type: "gcp", Comes: Programs},
	{Type: "azure", Comes: Programs},
	{Type: "alicloud", Comes: Programs},
	{Type: "oci", Comes: Programs},
	{Type: "cf", Comes: Programs},
}

// MethodOf is what is known of a type of auth mounts; of one that is not named
// nothing but the type.
func MethodOf(name string) Method {
	if i := slices.IndexFunc(methods, func(m Method) bool { return m.Type == name }); i >= 0 {
		return methods[i]
	}
	return Method{Type: name}
}

// Rotated is how Vault keeps the logins of the method; nil if Rollcall rotates
// none of them.
func (m Method) Rotated() *Login {
	k, rotated := LoginOf(m.Type)
	if !rotated {
		return nil
	}
	return k.Traits().Login
}

// TakesSecrets reports whether its logins bring what a campaign sets, or what
// Rollcall itself logs in with.
func (m Method) TakesSecrets() bool { return m.AsksOthers || m.Rotated() != nil }
