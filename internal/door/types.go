package door

import (
	"maps"
	"slices"
)

// Type is what there is to know of a type of door without asking one.
type Type struct {
	// What it is, for people.
	What string
	// Port that it usually has.
	Port string
	// TLS are the ways in which it can be secured, the usual one first.
	TLS []TLS
	// OverTLS is the type of the same protocol over TLS from the first byte
	// on; "": there is none.
	OverTLS string
	// Keys that it has in the campaign file besides those that all have.
	Keys []string
	// Login is how a login name is usually made.
	Login string
	// Doubt is what its refusals rest on that nothing can show; doctor says it.
	Doubt string
	// Guests is what its guest sessions rest on, where they are told from
	// logins, and a wrong value of an account that exists may be refused all
	// the same; "": what lets in a user that cannot exist proves nothing.
	Guests string
	// Auth are ways to show a value there besides the usual one.
	Auth []Auth
	// Looks is how often an old value is offered there where the file does not
	// say how many machines there are; 0: MaxLooks.
	Looks int
	// Uncounted: nobody counts wrong values there to lock an account.
	Uncounted bool
	// TellsKeeper: a refusal shows whether what keeps logins there gave it
	// (Said.Keeps).
	TellsKeeper bool
	// Reads: an account may be named that reads which accounts there are
	// (reader).
	Reads bool
	// Cannot is why a login there cannot carry a value, or empty; nil: it can
	// carry any. See Settings.CannotCarry.
	Cannot func(auth Auth, text string) string
}

var (
	webKeys = []string{"path", "auth", "header", "form", "action", "success", "failure"}
	webAuth = []Auth{ByBearer, ByHeader, ByForm}
)

// ByDatagrams are the types that are spoken over UDP.
var ByDatagrams = []string{"radius", "snmp", "snmpv2c"}

// Types has one line for each type of door.
var Types = map[string]Type{
	"imap":        {What: "IMAP", Port: "143", OverTLS: "imaps", TLS: []TLS{StartTLS, ClearText}, Cannot: bySASL},
	"imaps":       {What: "IMAP over TLS", Port: "993", TLS: []TLS{Implicit}, Cannot: bySASL},
	"pop3":        {What: "POP3", Port: "110", OverTLS: "pop3s", TLS: []TLS{StartTLS, ClearText}, Cannot: byPOP},
	"pop3s":       {What: "POP3 over TLS", Port: "995", TLS: []TLS{Implicit}, Cannot: byPOP},
	"submission":  {What: "SMTP submission", Port: "587", OverTLS: "smtps", TLS: []TLS{StartTLS, ClearText}, Cannot: bySASL},
	"smtps":       {What: "SMTP submission over TLS", Port: "465", TLS: []TLS{Implicit}, Cannot: bySASL},
	"https":       {What: "a web page behind a login, over TLS", Port: "443", TLS: []TLS{Implicit}, Keys: webKeys, Auth: webAuth, Cannot: byHTTP},
	"http":        {What: "a web page behind a login", Port: "80", TLS: []TLS{ClearText}, Keys: webKeys, Auth: webAuth, Cannot: byHTTP},
	"http-proxy":  {What: "a proxy of the web behind a login", Port: "3128", TLS: []TLS{ClearText}, Keys: []string{"target", "processes"}, Cannot: byHTTP},
	"https-proxy": {What: "a proxy of the web behind a login, over TLS", Port: "3129", TLS: []TLS{Implicit}, Keys: []string{"target", "processes"}, Cannot: byHTTP},
	"ftp":         {What: "FTP", Port: "21", OverTLS: "ftps", TLS: []TLS{StartTLS, ClearText}, Cannot: byFTP},
	"ftps":        {What: "FTP over TLS", Port: "990", TLS: []TLS{Implicit}, Cannot: byFTP},
	"postgres":    {What: "PostgreSQL", TellsKeeper: true, Port: "5432", TLS: []TLS{StartTLS, ClearText}, Keys: []string{"database"}, Cannot: byDatabase},
	"mysql":       {What: "MariaDB or MySQL", Reads: true, Doubt: "of an account with two methods (VIA … OR …), one of which asks PAM, a refusal says nothing unless PAM took the new value: give it one method; of accounts of one name (name@host) the server asks the one for this machine's address, and no other: the others are held against the old value where they can be read (reader)", Port: "3306", TLS: []TLS{StartTLS, ClearText}, Keys: []string{"reader", "secret", "one_account"}, Cannot: byDatabase},
	"radius":      {What: "RADIUS, by PAP", Port: "1812", TLS: []TLS{Itself}, Keys: []string{"secret", "auth"}, Auth: []Auth{BySecret}, Cannot: byPAP},
	"smb":         {What: "SMB, by NTLM", Guests: "a user that cannot exist gets a guest's session, which is told from a login (map to guest = bad user); a wrong value of an account that exists must be refused, and is not where smb.conf says bad password: then what it takes stays open (unguarded-door)", Doubt: "its refusals are not signed, so who changes packets between here and there could make one: ask from a network where nobody does", Port: "445", TLS: []TLS{Itself}, Cannot: byNTLM},
	"snmp":        {What: "SNMPv3", Uncounted: true, Doubt: "its refusals are not signed, so who reads and answers datagrams between here and there could forge one: ask from a network where nobody does", Port: "161", TLS: []TLS{Itself}, Keys: []string{"auth_protocol", "priv_protocol", "auth", "secret"}, Auth: []Auth{ByPrivacy}},
	"snmpv2c":     {What: "SNMPv2c", Uncounted: true, Doubt: "its refusals are silence, so who holds datagrams back between here and there could make one", Port: "161", TLS: []TLS{ClearText}},
	"ssh":         {What: "SSH", Port: "22", TLS: []TLS{Itself}, Keys: []string{"host_key", "auth"}, Auth: []Auth{ByKey}},
	"vault":       {What: "a login at Vault, or a token of it", Looks: 1, Port: "8200", TLS: []TLS{Implicit, ClearText}, Keys: []string{"mount", "auth"}, Auth: []Auth{ByAppRole, ByToken}, Cannot: byVault},
	"ldap":        {What: "LDAP simple bind", Port: "389", OverTLS: "ldaps", TLS: []TLS{StartTLS, ClearText}, Login: "{name}"},
	"ldaps":       {What: "LDAP simple bind over TLS", Port: "636", TLS: []TLS{Implicit}, Login: "{name}"},
}

// Names are those of all types, in order.
func Names() []string { return slices.Sorted(maps.Keys(Types)) }

// LoginForm is how a login name is made where the file does not say.
func (t Type) LoginForm() string {
	if t.Login == "" {
		return "{account}"
	}
	return t.Login
}
