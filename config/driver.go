package config

import "rollcall/internal/credential"

// driver is what a campaign file has to know of a driver. What
// else differs is internal/directory's.
type driver struct {
	// kinds of credential that its accounts can have, the usual one first.
	kinds []credential.Kind
	// sets are the operations that set a password, the usual one first; none
	// where there is one way. 389 Directory Server holds the extended operation
	// to the password policy whoever asks for it, and a replace only if the
	// identity is no password administrator.
	sets []string
	// oneWay is why it offers no choice of operation.
	oneWay string
	// tlsOnly: it takes passwords only over TLS.
	tlsOnly bool
	// discover are the places where further servers are found.
	discover []string
	// namesDefault: which policy holds for accounts that name none is shown to
	// few, so that the file may name it.
	namesDefault bool
	// domains: its accounts are those of a domain in DNS, and are called by it.
	domains bool
}

// drivers has one row for each driver.
var drivers = map[string]driver{
	OpenLDAP: {kinds: []credential.Kind{credential.LDAPPassword}, sets: []string{"exop", "replace"}, discover: []string{FromDNS}, namesDefault: true},
	DS389:    {kinds: []credential.Kind{credential.LDAPPassword}, sets: []string{"replace", "exop"}, discover: []string{FromDNS}},
	ActiveDirectory: {kinds: []credential.Kind{credential.ADPassword, credential.UserPassword}, oneWay: "unicodePwd",
		tlsOnly: true, discover: []string{FromConfiguration, FromDNS}, domains: true},
}

// driverNames are the drivers in the order in which messages name them.
var driverNames = []string{OpenLDAP, DS389, ActiveDirectory}
