// Package adacl reads the access control lists of Active Directory:
// self-relative security descriptors ([MS-DTYP] 2.4.6), as nTSecurityDescriptor
// holds them. It does no I/O. A damaged list grants nothing beyond where it is
// damaged; a descriptor without a list grants everybody everything, as the
// system does.
package adacl

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Control access rights ([MS-ADTS] 5.1.3.2.1).
const (
	ResetPassword    = "00299570-246d-11d0-a768-00aa006e0529" // User-Force-Change-Password
	UnexpirePassword = "ccc2dc7d-a6ad-4a7a-8846-c04e3cc53501" // Unexpire-Password

	// ReplicateAll on the head of a domain hands out the hash of every password
	// in it ([MS-DRSR] 4.1.10.5.2): DS-Replication-Get-Changes-All.
	ReplicateAll = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2"
)

// Security identifiers that are the same everywhere ([MS-DTYP] 2.4.2.4).
const (
	Everyone      = "\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00" // S-1-1-0
	Authenticated = "\x01\x01\x00\x00\x00\x00\x00\x05\x0b\x00\x00\x00" // S-1-5-11
	Self          = "\x01\x01\x00\x00\x00\x00\x00\x05\x0a\x00\x00\x00" // S-1-5-10, the account itself
)

// UnicodePwd is the schemaIDGUID of unicodePwd ([MS-ADA3]). Writing it is a
// reset; a domain controller asks for the control access right besides, and
// another server may not.
const UnicodePwd = "bf9679e1-0de6-11d0-a285-00aa003049e2"

// UnixUserPassword is the schemaIDGUID of unixUserPassword ([MS-ADA3]), which
// is confidential (searchFlags): only who has control access on it reads it.
const UnixUserPassword = "612cb747-c0e8-4f92-9221-fdd5f15b550d"

// ResultantPSO is the schemaIDGUID of msDS-ResultantPSO ([MS-ADA2] 2.452).
const ResultantPSO = "b77ea093-88d0-4780-9a98-911f8e8b1dca"

// Member is the schemaIDGUID of member, and the right to add and remove oneself
// there (Self-Membership, [MS-ADTS] 5.1.3.2.1); Membership is the property set
// that has it.
const (
	Member     = "bf9679c0-0de6-11d0-a285-00aa003049e2"
	Membership = "bc0ac240-79a9-11d0-9020-00c04fc2d4cf"
)

// Groups whose members log on to domain controllers, and there take a copy of
// all passwords (SeBackupPrivilege), or become the system by a service or a
// driver ([MS-DTYP] 2.4.2.4; "Active Directory security groups" of Windows
// Server). No access control list shows it.
const (
	ServerOperators = "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x25\x02\x00\x00" // S-1-5-32-549
	PrintOperators  = "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x26\x02\x00\x00" // S-1-5-32-550
	BackupOperators = "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x27\x02\x00\x00" // S-1-5-32-551
)

// OwnerRights stands for the owner in an access control list, and takes from
// him what he may by owning the object, unless it says so itself ([MS-DTYP]
// 2.4.2.4).
const OwnerRights = "\x01\x01\x00\x00\x00\x00\x00\x03\x04\x00\x00\x00" // S-1-3-4

// ChangePassword is the control access right User-Change-Password ([MS-ADTS]
// 5.1.3.2.1).
const ChangePassword = "ab721a53-1e2f-11d0-9819-00aa0040529b"

// Parts of an access control entry ([MS-DTYP] 2.4.4).
const (
	TypeAllow, TypeDeny             = 0, 1
	TypeAllowObject, TypeDenyObject = 5, 6
	InheritOnly                     = 0x08
	WriteSelf                       = 0x8 // ADS_RIGHT_DS_SELF, a validated write
	HasType, HasInherited           = 0x1, 0x2
	ReadProperty                    = 0x10    // ADS_RIGHT_DS_READ_PROP
	WriteProperty                   = 0x20    // ADS_RIGHT_DS_WRITE_PROP
	ControlAccess                   = 0x100   // ADS_RIGHT_DS_CONTROL_ACCESS
	WriteDACL                       = 0x40000 // and WRITE_OWNER, [MS-DTYP] 2.4.3
	WriteOwner                      = 0x80000
	GenericAll                      = 0x10000000
	GenericWrite                    = 0x40000000
)

// MayControl reports whether the list in a self-relative security descriptor
// ([MS-DTYP] 2.4.6) Grants a control access right to any of who.
func MayControl(sd []byte, who map[string]bool, right string) bool {
	return Grants(sd, who, ControlAccess|GenericAll, right)
}

// Grants reports whether the list in a self-relative security descriptor grants
// any of who one of the rights of mask, which is one right and what contains
// it: the first entry that speaks of it decides. object is the control access
// right, property or class that it is about; empty for a right on the whole.
// Without a list everybody may; a damaged one grants nothing.
func Grants(sd []byte, who map[string]bool, mask uint32, object string) bool {
	want := ""
	if object != "" {
		id, err := GUID(object)
		if err != nil {
			return false
		}
		want = string(id)
	}
	everybody := true
	for e := range Entries(sd, &everybody) {
		if e.Mask&mask != 0 && who[e.SID] && (e.Object == "" || e.Object == want) {
			return e.Allow
		}
	}
	return everybody
}

// Entry is an access control entry that holds for the object itself.
type Entry struct {
	Allow  bool
	Mask   uint32
	SID    string
	Object string // a GUID as the server keeps it; empty: all
}

// Entries reads the list. everybody is left true if there is none. A damaged
// list ends where it is damaged.
func Entries(sd []byte, everybody *bool) func(func(Entry) bool) {
	return func(yield func(Entry) bool) {
		*everybody = false
		if len(sd) < 20 {
			return
		}
		at := int(binary.LittleEndian.Uint32(sd[16:]))
		if at == 0 {
			*everybody = true
			return
		}
		if at+8 > len(sd) {
			return
		}
		acl := sd[at:]
		count := int(binary.LittleEndian.Uint16(acl[4:]))
		for rest := acl[8:]; count > 0 && len(rest) >= 16; count-- {
			size := int(binary.LittleEndian.Uint16(rest[2:]))
			if size < 16 || size > len(rest) {
				return
			}
			if e, ok := readACE(rest[:size]); ok && !yield(e) {
				return
			}
			rest = rest[size:]
		}
	}
}

// readACE reads one entry; ok is false for one that does not hold for the
// object itself, or is of a type that grants and denies nothing.
func readACE(b []byte) (e Entry, ok bool) {
	kind, flags := b[0], b[1]
	e.Mask = binary.LittleEndian.Uint32(b[4:])
	if flags&InheritOnly != 0 {
		return e, false
	}
	sid := b[8:]
	switch kind {
	case TypeAllow, TypeDeny:
	case TypeAllowObject, TypeDenyObject:
		has := binary.LittleEndian.Uint32(b[8:])
		sid = b[12:]
		for _, part := range []uint32{HasType, HasInherited} {
			if has&part == 0 {
				continue
			}
			if len(sid) < 16 {
				return e, false
			}
			if part == HasType {
				e.Object = string(sid[:16])
			}
			sid = sid[16:]
		}
	default:
		return e, false
	}
	e.SID, ok = ReadSID(sid)
	e.Allow = kind == TypeAllow || kind == TypeAllowObject
	return e, ok
}

// ReadSID reads a security identifier at the beginning of b ([MS-DTYP]
// 2.4.2.2).
func ReadSID(b []byte) (string, bool) {
	if len(b) < 8 || len(b) < 8+4*int(b[1]) {
		return "", false
	}
	return string(b[:8+4*int(b[1])]), true
}

// MayReset reports whether a descriptor lets any of who set the account's
// password, or give himself that right.
func MayReset(sd []byte, who map[string]bool) bool {
	return MayRewrite(sd, who) ||
		Grants(sd, who, ControlAccess|GenericAll, ResetPassword) ||
		Grants(sd, who, WriteProperty|GenericAll|GenericWrite, UnicodePwd)
}

// MayChangeMembers reports whether the descriptor of a group lets any of who
// become a member of it, or give himself that right.
func MayChangeMembers(sd []byte, who map[string]bool) bool {
	const writes = WriteProperty | GenericAll | GenericWrite
	return MayRewrite(sd, who) || Grants(sd, who, writes, Member) || Grants(sd, who, writes, Membership) ||
		Grants(sd, who, WriteSelf|GenericAll|GenericWrite, Member)
}

// Operates reports whether any of who is a group that works on domain
// controllers, and so gets at every password there.
func Operates(who map[string]bool) bool {
	return who[BackupOperators] || who[ServerOperators] || who[PrintOperators]
}

// Protected reports whether any of who is a group whose members take their
// rights from AdminSDHolder ([MS-ADTS] 3.1.1.6.1.2; "Appendix C: Protected
// Accounts and Groups in Active Directory").
func Protected(who map[string]bool) bool {
	for sid := range who {
		if len(sid) < 12 {
			continue
		}
		number := binary.LittleEndian.Uint32([]byte(sid[len(sid)-4:]))
		switch {
		case strings.HasPrefix(sid, builtin):
			switch number {
			case 544, 548, 549, 550, 551, 552:
				return true
			}
		case strings.HasPrefix(sid[2:], ofDomain):
			switch number {
			case 512, 516, 518, 519, 521, 526, 527:
				return true
			}
		}
	}
	return false
}

// How identifiers begin: of the groups that each system has (S-1-5-32), and,
// behind revision and length, of those of a domain (S-1-5-21).
const (
	builtin  = "\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00"
	ofDomain = "\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00"
)

// MayReplicate reports whether the descriptor of a domain's head lets any of
// who fetch every password in it, or give himself that right.
func MayReplicate(sd []byte, who map[string]bool) bool {
	return MayRewrite(sd, who) || MayControl(sd, who, ReplicateAll)
}

// MayRewrite reports whether a descriptor lets any of who change it.
func MayRewrite(sd []byte, who map[string]bool) bool {
	if Grants(sd, who, WriteDACL|GenericAll, "") || Grants(sd, who, WriteOwner|GenericAll, "") {
		return true
	}
	owner, ok := Owner(sd)
	if !ok || !who[owner] {
		return false
	}
	everybody := false
	for e := range Entries(sd, &everybody) {
		if e.SID == OwnerRights {
			return Grants(sd, map[string]bool{OwnerRights: true}, WriteDACL|GenericAll, "") || Grants(sd, map[string]bool{OwnerRights: true}, WriteOwner|GenericAll, "")
		}
	}
	return true
}

// SIDsWithRights are those that a descriptor names in an entry that could let
// them reset, or change the members of a group; nil if one of the lists is not
// there at all, so that everybody may.
func SIDsWithRights(sds [][]byte) map[string]bool {
	const any = WriteSelf | WriteProperty | ControlAccess | WriteDACL | WriteOwner | GenericAll | GenericWrite
	out := map[string]bool{}
	for _, sd := range sds {
		everybody := true
		for e := range Entries(sd, &everybody) {
			if e.Allow && e.Mask&any != 0 {
				out[e.SID] = true
			}
		}
		if everybody {
			return nil
		}
		if owner, ok := Owner(sd); ok {
			out[owner] = true
		}
	}
	return out
}

// Owner reads the owner of a self-relative security descriptor.
func Owner(sd []byte) (string, bool) {
	if len(sd) < 20 {
		return "", false
	}
	at := int(binary.LittleEndian.Uint32(sd[4:]))
	if at == 0 || at > len(sd) {
		return "", false
	}
	return ReadSID(sd[at:])
}

// InheritsNothing reads SE_DACL_PROTECTED ([MS-DTYP] 2.4.6).
func InheritsNothing(sd []byte) bool {
	return len(sd) >= 4 && binary.LittleEndian.Uint16(sd[2:])&0x1000 != 0
}

// GUID is the form in which the server keeps a GUID that is written as text.
func GUID(text string) ([]byte, error) {
	g, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(g) != 16 {
		return nil, fmt.Errorf("%q is no GUID", text)
	}
	return Swapped(g), nil
}

// Swapped turns the byte order of the first three fields; doing it twice undoes
// it.
func Swapped(g []byte) []byte {
	return []byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}
