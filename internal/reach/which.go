package reach

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// What a credential waits for has to be named to people, and what crosses
// Temporal has no names. So a login is told by where it stands on the roll, and
// the record puts its name there (Refer, Name).

// refers is a login of the roll in the detail of a stop.
var refers = regexp.MustCompile(`login (\d+)\.(\d+) of the roll`)

// Refer tells a login by its place on the roll.
func Refer(at credential.Ref) string {
	return fmt.Sprintf("login %d.%d of the roll", at.Page, at.Index)
}

// Referred are the logins that a detail tells of.
func Referred(detail string) (out credential.Refs) {
	for _, m := range refers.FindAllStringSubmatch(detail, -1) {
		page, _ := strconv.Atoi(m[1])
		index, _ := strconv.Atoi(m[2])
		if at := (credential.Ref{Page: page, Index: index}); !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// Name puts names in a detail for the logins that it tells of.
func Name(detail string, names map[credential.Ref]string) string {
	return refers.ReplaceAllStringFunc(detail, func(told string) string {
		for _, at := range Referred(told) {
			if name := names[at]; name != "" {
				return name
			}
		}
		return told
	})
}

// mostNamed of what is waited for are told: the others have rows of their own.
const mostNamed = 3

// notAsked tells the logins that could not be asked, of those that waits says;
// it is empty where none of them is open.
func (o *Reach) notAsked(ctx context.Context, c credential.Credential, waits func(login credential.Credential) bool) string {
	var which []string
	more := 0
	for _, login := range append(slices.Clone(o.unknown), o.shut...) {
		if !waits(login) || !o.open(ctx, login, c) {
			continue
		}
		if len(which) == mostNamed {
			more++
			continue
		}
		text := o.told(login)
		if why := o.why[login.ID]; why != "" {
			text += " (" + why + ")"
		}
		if !slices.Contains(which, text) {
			which = append(which, text)
		}
	}
	if more > 0 {
		which = append(which, fmt.Sprintf("%d more", more))
	}
	return strings.Join(which, ", ")
}

// told is a login as a detail tells it.
func (o *Reach) told(login credential.Credential) string {
	if at, ok := o.at[login.ID]; ok {
		return Refer(at)
	}
	return "a login that was found since"
}

// whyNotAsked words why a login could not be asked, where the error is one that
// says it; the text of others may name paths and accounts.
func whyNotAsked(err error) string {
	var stop *protocol.Stop
	switch {
	case errors.As(err, &stop):
		return string(stop.Reason)
	case errors.Is(err, kind.ErrSecondFactor):
		return "a second factor is asked for"
	case errors.Is(err, kind.ErrCouldLock):
		return "one more wrong login could lock it"
	case errors.Is(err, kind.ErrNoneLogsIn):
		return "no value that Vault holds logs in"
	case vault.IsDenied(err):
		return "Vault denied the login, or the question"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	}
	return ""
}
