package inventory

import (
	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Candidate is what a source found, as the source calls it.
type Candidate struct {
	Kind      credential.Kind
	Authority string // a directory's name, or credential.VaultAuthority; empty when the source does not say

	// Account is the reference: DN, immutable id or what people call it (see
	// naming); "mount/name" for a login to Vault. Empty when the source knows a
	// path and no account.
	Account string

	// Found is the account itself, when the source read it at its authority.
	Found *Account

	Path *credential.Path // where Vault holds it; nil when the source does not know

	// AnyField: Path.Field is a guess, because nothing names the field.
	AnyField bool

	// New: a person says that the secret at Path is not there yet.
	New bool

	// Assumed: nothing names Authority, which is what is meant then where the
	// file has one directory.
	Assumed bool

	// Left: an ended campaign staged a value that was meant for Path. Nobody
	// names the account by it.
	Left bool

	// Kept: an earlier campaign left it open. It is on the roll only if nothing
	// names it.
	Kept bool

	// Earlier: Rollcall itself put a value at Path in an earlier campaign.
	// Nobody names the account by it.
	Earlier bool
	// Since is then what became of that path.
	Since ownmount.Since

	Reason credential.Reason

	// Lines of the device's profile that the source says it answers, and one
	// that the profile does not have.
	Lines       []credential.LineRef
	UnknownLine string

	// Doors of the campaign file that the source says take its secret too, and
	// what it calls one that the file does not have.
	Doors       []config.DoorOf
	UnknownDoor []string

	// Task is what a person has to do; nil for all else.
	Task *credential.Task

	// ByField is the field of the secret at Path that says whose it is, where
	// its metadata does not and the source has account_field; "" otherwise.
	// What it says is not shown before an account of that name is found: it may
	// be a password in the wrong field. FieldSays is why it named nobody.
	ByField   string
	FieldSays string

	// Users are what the secret at Path says of a user, in a field of that
	// name. It is a hint for a person: nothing is written anywhere because of
	// it.
	Users []string

	// Like is set for an account that no source names, and that has the name of
	// one of the roll at another authority.
	Like *likeness

	// Fields are the names of what the secret at Path has, Settings those of
	// what documents in it have: teams call them by the account. They too are
	// compared, and written nowhere.
	Fields, Settings []string

	// Misnamed are keys of custom_metadata that look like one that is read, and
	// are not.
	Misnamed []string

	// HeldBack are keys of custom_metadata whose text is a secret itself, so
	// that nothing is made of it.
	HeldBack []string
}

// Account is an account at its authority.
type Account struct {
	Subject   string   // immutable id in lower case, or mount/name
	Name      string   // DN or mount/name
	Short     string   // uid or sAMAccountName, else cn, else Subject: for adopted paths
	Logins    []string // every uid, or the role: what people call it
	Protected bool     // of a protected group in Active Directory

	kind credential.Kind // of a login to Vault, which knows it by the mount

	system *authority.Account // as a System found it

	facts *facts // of an LDAP entry; shared by all that found it in one answer
}
