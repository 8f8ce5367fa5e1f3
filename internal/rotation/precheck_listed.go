package rotation

import (
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/kind/byhand"
	"rollcall/internal/protocol"
)

// ProblemStop is why a credential cannot be rotated as it is listed, or nil.
func ProblemStop(c credential.Credential) *protocol.Stop {
	switch c.Problem {
	case "":
		if c.Kind.ByHand() {
			return byhand.Stop()
		}
		return nil
	case credential.NoAccount:
		return &protocol.Stop{Reason: protocol.ReasonNoAccount, Detail: "a source names an account that its authority does not show: deleted, renamed, outside of base, hidden from bind.dn, or mistyped; nothing was changed"}
	case credential.Ambiguous:
		return &protocol.Stop{Reason: protocol.ReasonAmbiguous, Detail: "the reference matches more than one account; name it by DN or immutable id"}
	}
	if detail, ok := listedDetails[c.Problem]; ok {
		return &protocol.Stop{Reason: protocol.Reason(c.Problem), Detail: detail}
	}
	return &protocol.Stop{Reason: protocol.Reason(c.Problem), Detail: "it cannot be rotated as it is listed"}
}

// listedDetails say what was seen when a credential was listed, for people and
// without a name: the findings of the roll have the rest.
var listedDetails = map[credential.Problem]string{
	credential.SharedPath:       "a path is named as the place of several accounts, and it can hold the value of one; nothing was changed",
	credential.NoOwner:          "Vault holds something where the device reads, and nothing says whose it is; nothing was changed",
	credential.NotAnAccount:     "the entry is a group, a container or a device and logs in nowhere; it was given no password",
	credential.NoPassword:       "the account has no password that logs in, so none was stolen; it was given none",
	credential.IsAlias:          "the entry is an alias; the account that it stands for is in its finding, and on the roll only if a source names it",
	credential.BehindReferral:   "it was looked for on the servers of the campaign file alone, and a part of that directory is on another one",
	credential.CheckedElsewhere: "the directory asks somebody else about this password; a new one here would end that, and the stolen one would stay good there",
	credential.SecondCopy:       "the entry keeps the same secret a second time, and a reset may leave that copy as it is; nothing was changed",
	credential.PointsAtDevice:   "its secret in Vault sends whoever reads it to an address of the compromised device, which would be given the new value; nothing was changed: its finding names the path and the field",
	credential.LeadsElsewhere:   "its secret in Vault sends whoever reads it to another host than before the device was in foreign hands, which would be given the new value; nothing was changed: its finding names the path, the field and the version to compare with",
	credential.CopyBeside:       "the secret in Vault holds the same value in another field too, and what reads it there would be cut off; nothing was changed: its finding names the field",
	credential.Restricted:       "the account may log in at some hours or from some computers only (logonHours, userWorkstations), and not now and within the next hour from here, so that it may not be seen whether a new password works; nothing was changed: run again within its hours, or lift that for the time of the campaign; or accept restricted by name",
	credential.HasKeytab:        "a reset would make every keytab of the account useless; nothing was changed",
	credential.VaultsBind:       "Vault itself binds to the directory with it, and would be refused from a new password on until its configuration has that too; nothing was changed",
	credential.KeptByVault:      "a secrets engine of Vault keeps this password and sets it itself: what reads it there would be cut off; nothing was changed: rotate it there, its finding has the command",
	credential.SharedRole:       "the role has secret-ids that differ in whose they are, and all but the new one would be destroyed; nothing was changed: its finding says in what they differ",
	credential.MD5Stored:        "PostgreSQL keeps this password by md5 and would keep the new one by SCRAM, which not every client can do; nothing was changed: update those that cannot, then accept md5-stored by name",
	credential.ServerRole:       "it is a superuser, and only what matches a pattern ties it to the device: standbys, backups or scripts of the servers may hang on its password; nothing was changed",
	credential.Replicates:       "servers of its authority replicate by it, or what takes their log does, and would be refused from a new password on; nothing was changed: its finding says which, and what to do; accept it by name, and it goes last",
	credential.NotAsked:         "its authority lets it in by something else than its password, or has somebody else check that, so that a new one keeps nobody out there; nothing was changed: its finding names the lines",
	credential.KeptElsewhere:    "the authority itself keeps this password a second time, and what it does with it would be refused from a new one on; nothing was changed: its finding says where",
	credential.ComputerAccount:  "it is the account of a computer or of a trust, which no reset from outside survives; nothing was changed",
	credential.ManagedAccount:   "the domain itself makes this password; nothing was changed",

	credential.NoField:       "the secret is there and has no such field; correct the field's name (custom_metadata field, or the manifest's path), then list again",
	credential.NotBare:       "the field holds more than a bare secret, and which part of it is the secret is not known; give the secret a field of its own, then list again",
	credential.UnusableValue: "the field is neither text nor a number, so it is no password; name the field that holds it, then list again",
	credential.NoMount:       "no mount that this login can see serves it; make the mount (KV version 2) or correct the path, then list again",
	credential.NotKV2:        "its mount is not KV version 2; `vault kv enable-versioning` upgrades it, then list again",
	credential.ForcedChange: "the password policy of the account has each password that bind.dn has set changed at the next login (pwdMustChange, passwordMustChange), which its consumers cannot do; nothing was set; " +
		"set it off for the time of the campaign, or give the account a policy without it; where bind.dn has write and not manage on userPassword, slapd marks nothing: accept forced-change by name then",
	credential.PasswordHidden: "whether the account has a password at all, and whether that bars it, is not shown to Rollcall, and Vault holds none that it accepts: one that logs in by something else, or was barred, would be given a login; nothing was set",

	credential.Malformed:      "the path is not written as Vault keeps it: an empty, \".\" or \"..\" segment, a blank at the end of one, or an escape of a URL; write it as vault kv get takes it, then list again",
	credential.APIPath:        "nothing lies there: mount/data/… is how Vault's API writes a path; leave data/ out, then list again",
	credential.DeletesItself:  "Vault deletes by itself what is written there (delete_version_after of the secret or its mount), and the new value would be gone; nothing was changed: set that to 0, then list again",
	credential.DeletedVersion: "its current version is deleted; `vault kv undelete` brings it back, or exclude the path, then list again",
	credential.Unproved:       "nothing but a secret's own word names the account, and the secret holds nothing that the account could accept; confirm account and path by name (confirm in the campaign file), or exclude the path",
	credential.PerhapsIts:     "a path in Vault may be this account's, and nothing says so for certain; nothing was changed: name the account there by its DN or immutable id, or exclude the path, then list again",
	credential.SameName:       "no source names it, and it has the name of an account of the roll, whose password may be its own too; nothing was changed: list it, and it is rotated, or exclude it; its finding says why it was not asked",
	credential.OnlyInLogs:     "nothing but logs ties it to the device, and whoever can write a log can name any account there; nothing was changed: list it, or accept only-in-logs by name, and it is rotated, or exclude it with a reason, then list again",
	credential.NotNamed:       "an earlier campaign of the device left it open, and the campaign file has no source any more that names it; nothing was changed: name it again, or exclude it with a reason, then list again",
	credential.TooManyPaths:   fmt.Sprintf("more than %d paths name the account; find out who wrote them, exclude those that are not its own, then list again", credential.MaxPaths),
}

// placeStop is why a path cannot take part whatever the account says, or nil.
// n is its number, from 0.
func placeStop(p credential.Problem, n int) *protocol.Stop {
	if p == "" {
		return nil
	}
	stop := ProblemStop(credential.Credential{Problem: p})
	stop.Detail = fmt.Sprintf("path %d of this credential: %s", n+1, stop.Detail)
	return stop
}
