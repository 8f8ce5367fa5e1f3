package inventory

import (
	"context"
	"slices"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
)

// clustersPlace is how a person accepts that there are other clusters.
const clustersPlace = "sys/replication/performance"

// otherClusters warns where Vault is one of several clusters of performance
// replication (Vault Enterprise). They share secrets, policies and auth mounts;
// tokens, and secret-ids of a role with local_secret_ids, are each cluster's
// own. A device logs in at the cluster next to it, so what was minted there is
// neither seen from here nor ended, and reads each new value.
func (l *lister) otherClusters(ctx context.Context, roll *credential.Roll) error {
	if !slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool {
		return c.Kind.OpensVault() || c.Kind.OnlyEnds() || len(c.Logins) > 0
	}) {
		return nil
	}
	is := "this Vault is one of several clusters"
	// Vault answers this in its root namespace alone.
	health, err := l.vault.API().WithNamespace("").Sys().HealthWithContext(ctx)
	_, answered := vault.ReplyIn(err)
	switch {
	case answered:
		is = "whether this Vault is one of several clusters it does not say (sys/health is refused): if it is one"
		health = &vaultapi.HealthResponse{ReplicationPerformanceMode: "not shown"}
	case err != nil:
		return vaultError("read", "sys/health", err)
	}
	mode := health.ReplicationPerformanceMode
	if mode == "" || mode == "disabled" || mode == "unknown" {
		return nil
	}
	local, err := l.localSecretIDs(ctx, roll)
	if err != nil {
		return err
	}
	what := ""
	if len(local) > 0 {
		what = ". Secret-ids of " + strings.Join(local, ", ") + " are each cluster's own as well (local_secret_ids): those of other clusters log in there as before"
	}
	if reason, ok := l.acceptedPlace(clustersPlace); ok {
		l.warn(credential.FindingAccepted, "%s, which the campaign file accepts: %s%s", credential.FindingOtherClusters, reason, what)
		return nil
	}
	l.warn(credential.FindingOtherClusters, "%s (performance replication: %s): they share secrets, and each keeps tokens of their own: what a stolen login minted at another cluster lives on there to its end, and reads each new value; nothing of it is seen or ended from here%s. Have them ended at each other cluster before the run (vault token revoke -mode=path auth/MOUNT/login there, and secret-ids destroyed), then accept it: %s%s",
		is, mode, what, paste.Entry("accept", "vault", clustersPlace, "on", "TIME"), l.outdated(clustersPlace))
	return nil
}

// localSecretIDs are the roles of the roll whose secret-ids are each cluster's
// own.
func (l *lister) localSecretIDs(ctx context.Context, roll *credential.Roll) (out []string, err error) {
	for _, c := range roll.Credentials {
		if login := c.Kind.Traits().Login; login == nil || !login.SecretIDs || c.Subject == "" {
			continue
		}
		mount, name, _ := cutRole(c.Subject)
		at := "auth/" + mount + "/role/" + name
		role, err := l.roleOnce(ctx, at)
		if err != nil {
			return nil, vaultError("read", at, err)
		}
		if local, _ := role["local_secret_ids"].(bool); local {
			out = append(out, c.Name)
		}
	}
	return out, nil
}
