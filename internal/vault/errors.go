package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/protocol"
)

// ErrorKind says what a failed call means for the caller.
type ErrorKind string

// Kinds of error.
const (
	Sealed           ErrorKind = "sealed"            // wait for an unseal
	Unreachable      ErrorKind = "unreachable"       // no answer: a write may have been applied
	Cancelled        ErrorKind = "cancelled"         // our own side gave the call up: it tells nothing of Vault, and a write may have been applied
	Throttled        ErrorKind = "throttled"         // a quota turned it away: nothing was carried out
	TokenExpired     ErrorKind = "token-expired"     // log in again
	PermissionDenied ErrorKind = "permission-denied" // Path and Capability say which right is missing
	NotFound         ErrorKind = "not-found"
	CASMismatch      ErrorKind = "cas-mismatch" // somebody else wrote first, or our own write whose reply was lost
	BadPath          ErrorKind = "bad-path"     // nothing was sent
	NoMount          ErrorKind = "no-mount"     // no mount that our login can see serves the path
	NotKV2           ErrorKind = "not-kv2"      // the path's mount is of another kind
	Other            ErrorKind = "other"
)

// Capabilities as Vault policies name them.
const (
	Read   = "read"
	List   = "list"
	Create = "create"
	Update = "update"
	Delete = "delete"
	Write  = "create, update" // KV v2 asks for one or the other, by whether the path exists
)

// Error is a call to Vault that failed. Its message says what to do next and
// holds no value that was read or written. It may name a secret's path: what
// travels through Temporal is Stop.
type Error struct {
	Op         string // what we were doing, for people
	Path       string // API path
	Server     string // address
	Status     int    // HTTP; 0 without an answer
	Capability string // what the call needs
	Kind       ErrorKind
	Detail     string // Vault's own words where they can hold no value
	Hint       string // what to do about our own login, if that is the trouble; names no account

	cause error
}

func (e *Error) Error() string {
	m := fmt.Sprintf("vault %s: %s: %s", e.Server, e.Op, e.advice(e.place()))
	if e.Detail != "" {
		m += " (" + e.Detail + ")"
	}
	return m + e.hint()
}

// Unwrap gives the error of the transport, so that a cancelled context shows.
func (e *Error) Unwrap() error { return e.cause }

// place is the path for people. What no mount serves may be no path at all, but
// a secret where a path belongs, and is not shown.
func (e *Error) place() string {
	if e.Kind == NoMount {
		return hidden
	}
	return e.Path
}

const hidden = "it (the text is not shown, for it may be a secret in the wrong place)"

func (e *Error) hint() string {
	if e.Hint == "" {
		return ""
	}
	return "; " + e.Hint
}

func (e *Error) advice(place string) string {
	switch e.Kind {
	case Sealed:
		return "Vault is sealed; unseal it"
	case Unreachable:
		said := "no answer"
		if e.Capability != Read && e.Capability != List {
			said += "; it may have been applied"
		}
		return said + "; check VAULT_ADDR, VAULT_CACERT and the network"
	case Cancelled:
		return "it was broken off from our side before the answer came; whether it was carried out is looked at again"
	case Throttled:
		return "a rate limit of Vault (sys/quotas) turned it away for longer than is waited for; raise it for Rollcall, or lower limits.parallel and limits.concurrency"
	case TokenExpired:
		return "the token is expired or revoked; log in again (vault login, or a new secret-id)"
	case PermissionDenied:
		return fmt.Sprintf("permission denied; the token's policies need %q on %s; `rollcall init --print` shows them", e.Capability, place)
	case NotFound:
		return fmt.Sprintf("nothing at %s; check the mount and the path", place)
	case CASMismatch:
		return fmt.Sprintf("%s was written by somebody else in between; this write was not taken; read it again", place)
	}
	switch e.Kind {
	case NoMount:
		return fmt.Sprintf("no mount that this login can see serves %s; make the mount (KV version 2), correct the path, or give the login a right below it", place)
	case NotKV2:
		return fmt.Sprintf("%s does not lie on a KV version 2 mount; `vault kv enable-versioning` upgrades version 1", place)
	}
	if e.Kind == BadPath {
		return fmt.Sprintf("%s is no path of a secret: it has %s; correct the reference", place, badSegment(e.Path))
	}
	return fmt.Sprintf("refused with status %d at %s", e.Status, place)
}

// badSegment says what of a path names nothing.
func badSegment(path string) string {
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			return `an empty segment ("//")`
		case ".", "..":
			return fmt.Sprintf("a segment %q", segment)
		}
	}
	return "a segment that names nothing"
}

// Stop keeps the credential open with the reason. Its text names the mount
// but not the path below it, which may hold an account name.
func (e *Error) Stop() *protocol.Stop {
	place := PublicPart(e.Path)
	switch e.Kind {
	case NoMount:
		place = hidden
	case NotKV2:
		place, _, _ = strings.Cut(e.Path, "/") // where a mount would end is not known
		place += "/…"
	}
	return &protocol.Stop{Reason: e.reason(), Server: e.Server, Detail: e.Op + ": " + e.advice(place) + e.hint()}
}

// StopOf keeps open what Vault could not be asked about.
func StopOf(err error) *protocol.Stop {
	if v, ok := errors.AsType[*Error](err); ok {
		return v.Stop()
	}
	if stop := protocol.GivenUp(err); stop != nil {
		return stop
	}
	return &protocol.Stop{Reason: protocol.ReasonVault, Detail: err.Error()}
}

// General reports whether a write to another place would have failed like this
// one.
func (e *Error) General() bool {
	switch e.Kind {
	case Sealed, Unreachable, Throttled, TokenExpired:
		return true
	}
	return e.Status >= http.StatusInternalServerError
}

func (e *Error) reason() protocol.Reason {
	switch e.Kind {
	case Cancelled:
		return protocol.ReasonInterrupted
	case Sealed, Unreachable:
		return protocol.ReasonVault
	case Throttled:
		return protocol.ReasonThrottled
	case TokenExpired:
		return protocol.ReasonVaultLogin
	case PermissionDenied:
		return protocol.ReasonVaultRights
	case CASMismatch:
		return protocol.ReasonConflict
	case NoMount, NotKV2:
		// It was there when it was listed (what was not has its own reason from
		// the listing), so it was moved or made anew meanwhile. It may come
		// back: nothing is set until it does, and it is tried again.
		return protocol.ReasonVaultRefuse
	case BadPath:
		return protocol.ReasonMalformed
	}
	return protocol.ReasonVaultRefuse
}

// PublicPart cuts an API path after the parts that name no account:
// "kv/data/apps/svc" to "kv/data/…", "auth/approle/role/x" to "auth/approle/…".
func PublicPart(path string) string {
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 3 || parts[0] == "sys" {
		return path
	}
	return parts[0] + "/" + parts[1] + "/…"
}

// IsCASMismatch reports whether err is a check-and-set mismatch: the caller
// reads the entry and decides whether it was its own write whose reply was
// lost.
func IsCASMismatch(err error) bool { return IsKind(err, CASMismatch) }

// IsDenied reports whether our login lacks a right for the call.
func IsDenied(err error) bool { return IsKind(err, PermissionDenied) }

// IsNotFound reports whether err says that Vault holds nothing there.
func IsNotFound(err error) bool { return IsKind(err, NotFound) }

// IsKind reports whether err is one of Vault of that kind.
func IsKind(err error, k ErrorKind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

// Fail turns what the API client returned into an *Error.
func (c *Client) Fail(op, path, capability string, err error) error {
	e := wrap(c.api.Address(), op, path, capability, err)
	if e.Kind == TokenExpired {
		e.Hint = c.login.trouble()
		c.login.refusedToken()
	}
	return e
}

func wrap(server, op, path, capability string, err error) *Error {
	e := &Error{Op: op, Path: path, Server: server, Capability: capability, Kind: Unreachable, cause: err}
	reply, came := ReplyIn(err)
	if !came {
		// A deadline is not among these: then Vault, or what is in between, was
		// slow.
		if errors.Is(err, context.Canceled) {
			e.Kind = Cancelled
			return e
		}
		e.Detail = transportDetail(err)
		return e
	}
	e.cause = nil // its text is Vault's, which Detail may have to leave out
	e.Status, e.Kind = reply.Status, reply.Kind()
	// A login may be answered with the secret-id in the text, and a proxy's
	// page may hold anything.
	switch {
	case reply.Status == http.StatusBadRequest && reply.Says(wantsTLS):
		e.Detail = "VAULT_ADDR says http://, and what answers there speaks TLS: write https:// (and VAULT_CACERT for a private CA)"
	case !reply.page && !strings.HasSuffix(path, "/login"):
		e.Detail = oneLine(reply.text)
	}
	return e
}

// wantsTLS is in what a TLS server of Go's library, which Vault is, answers to
// who speaks HTTP.
const wantsTLS = "HTTP request to an HTTPS server"

func transportDetail(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "its certificate is signed by a CA that is not trusted here: set VAULT_CACERT"
	case errors.As(err, &host):
		return "its certificate is for another name: " + oneLine(host.Error())
	case errors.As(err, &invalid):
		return "its certificate is not valid: " + oneLine(invalid.Error())
	case errors.As(err, &record):
		return "it does not speak TLS: VAULT_ADDR may want http://"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "timed out"
	case os.Getenv(vaultapi.EnvVaultAddress) == "" && os.Getenv(vaultapi.EnvVaultAgentAddr) == "":
		return "VAULT_ADDR is not set, and this is the default of Vault's client: " + oneLine(err.Error())
	}
	return oneLine(err.Error())
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}
