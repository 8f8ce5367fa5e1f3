package approlesecretid

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

var _ kind.Teller = (*Authority)(nil)

// A change mark of a role reads "1:0123abcd role 4567ef01": how many secret-ids
// it has and their accessors, and its role-id, none of which is a secret, all
// shortened. " open" follows where it asks for no secret-id.

const marked = 8 // accessors that a mark names, and characters of each

func markOf(accessors []string, roleID string, bound bool) string {
	slices.Sort(accessors)
	var short []string
	for _, x := range accessors[:min(marked, len(accessors))] {
		short = append(short, shortened(x))
	}
	out := fmt.Sprintf("%d:%s", len(accessors), strings.Join(short, ","))
	if roleID != "" {
		out += " role " + shortened(roleID)
	}
	if !bound {
		out += " open"
	}
	return out
}

func shortened(s string) string { return s[:min(marked, len(s))] }

// seenRole is a mark that was read.
type seenRole struct {
	count     int
	accessors []string
	roleID    string // empty in marks of earlier versions
	open      bool
}

func readMark(mark string) (out seenRole) {
	fields := strings.Fields(mark)
	for i, f := range fields {
		switch {
		case i == 0:
			count, names, _ := strings.Cut(f, ":")
			_, _ = fmt.Sscan(count, &out.count)
			if names != "" {
				out.accessors = strings.Split(names, ",")
			}
		case fields[i-1] == "role":
			out.roleID = f
		case f == "open":
			out.open = true
		}
	}
	return out
}

// markAfterRetire is the mark of a role that has one secret-id.
func (au *Authority) markAfterRetire(ctx context.Context, r role, accessor string) (string, error) {
	roleID, err := au.roleID(ctx, r)
	return markOf([]string{accessor}, roleID, r.bindSecretID), err
}

// Tell says what was done to a role since its proof. It goes by the secret-ids,
// not by tokens: those of a secret-id that somebody made and destroyed again
// meanwhile do not show.
func (au *Authority) Tell(proved string, now kind.Account) kind.Told {
	was, is := readMark(proved), readMark(now.Changed)
	var said []string
	missing := is.count <= marked && slices.ContainsFunc(was.accessors, func(a string) bool { return !slices.Contains(is.accessors, a) })
	others := is.count - was.count
	if missing {
		others++
	}
	switch {
	case now.State == protocol.Gone:
		said = append(said, "the role was deleted: its consumers have no login, and whoever makes it again chooses what logs in")
	case is.open:
		said = append(said, "bind_secret_id was switched off, so the role takes a login without any secret-id")
	}
	if now.State != protocol.Gone {
		if was.roleID != "" && is.roleID != "" && was.roleID != is.roleID {
			said = append(said, "the role has another role-id, so it was made anew or changed")
		}
		if missing {
			said = append(said, "the secret-id that was proved is not there any more (destroyed, used up or expired), so its consumers have no login")
		}
		if others > 0 {
			said = append(said, fmt.Sprintf("the role has secret-ids that are not Rollcall's (%d)", others))
		}
	}
	if len(said) == 0 {
		return kind.Told{}
	}
	return kind.Told{Reason: protocol.ReasonLoginSince,
		Detail: "proved dead, and after that and before the end of the campaign " + strings.Join(said, "; ")}
}
