package rotation

import "rollcall/internal/credential"

// listedDetails say what was seen when a credential was listed, for people and without a
// name: the findings of the roll have the rest.
var listedDetails = map[credential.Problem]string{
	credential.NoOwner:          "Vault holds something where the device reads, and nothing says whose it is; nothing was changed",
	credential.NotAnAccount:     "the entry is a group, a container or a device and logs in nowhere; it was given no password",
	credential.NoPassword:       "the account has no password that logs in, so none was stolen; it was given none",
	credential.IsAlias:          "the entry is an alias; the account that it stands for is in its finding, and on the roll only if a source names it",
	credential.BehindReferral:   "it was looked for on the servers of the campaign file alone, and a part of that directory is on another one",
	credential.CheckedElsewhere: "the directory asks somebody else about this password; a new one here would end that, and the stolen one would stay good there",
	credential.SecondCopy:       "the entry keeps the same secret a second time, and a reset may leave that copy as it is; nothing was changed",
	credential.HasKeytab:        "a reset would make every keytab of the account useless; nothing was changed",
	credential.ComputerAccount:  "it is the account of a computer or of a trust, which no reset from outside survives; nothing was changed",
	credential.ManagedAccount:   "the domain itself makes this password; nothing was changed",
}
