package activities

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/vault"
)

func TestAListingThatWaitsForAPersonIsNotTriedAgain(t *testing.T) {
	of := func(k vault.ErrorKind) error {
		return fmt.Errorf("source vault: %w", &vault.Error{Op: "list secrets", Path: "kv/metadata/apps/svc-mail", Server: "https://vault:8200", Capability: "list", Kind: k})
	}
	for _, row := range []struct {
		name  string
		err   error
		final bool
	}{
		{"Vault sealed", of(vault.Sealed), false},
		{"Vault out of reach", of(vault.Unreachable), false},
		{"a right missing", of(vault.PermissionDenied), true},
		{"a mount missing", of(vault.NotFound), true},
		{"a mistake in a manifest", errors.New("handover.csv:3: kind: missing"), true},
		{"a device that answers", fmt.Errorf("listing: %w", &listing.NotContained{Device: "esg-01", Containment: &credential.Containment{How: credential.Off, Answers: []string{"192.0.2.10:443 accepts connections"}}}), true},
		{"lines of the profile without an answer", &listing.NotAnswered{Profile: "gateway", Of: 3, Lines: []credential.LineAnswer{{Line: "seal", At: "answers.yaml:9", Why: "has no answer"}}}, true},
		{"a wrong bind password", errors.New("directory corp: bind to ldaps://ldap is refused"), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var app *temporal.ApplicationError
			require.ErrorAs(t, classifyListing(row.err), &app)
			require.Equal(t, row.final, app.NonRetryable())
			require.NotContains(t, app.Message(), "svc-mail", "what travels through Temporal names no account")
		})
	}
}
