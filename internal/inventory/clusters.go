package inventory

import (
	"context"
	"net/http"
	"slices"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
)

// clustersPlace is how a person accepts that there are other clusters.
const clustersPlace = "sys/replication/performance"

// enterprise warns of what Vault Enterprise does with what is set here.
func (l *lister) enterprise(ctx context.Context, roll *credential.Roll) error {
	health, err := l.vault.Health(ctx)
	if _, answered := vault.ReplyIn(err); err != nil && !answered {
		return vaultError("read", "sys/health", err)
	}
	if err != nil {
		health = nil
	}
	if err := l.syncedElsewhere(ctx, health); err != nil {
		return err
	}
	return l.otherClusters(ctx, roll, health)
}

// syncPlace is how a person accepts that secrets are pushed to other stores.
const syncPlace = "sys/sync/associations"

// syncedElsewhere warns where Vault pushes secrets to other stores (secrets
// sync), each new value too: whoever had the right may have added one of his.
// Which are pushed is not held against the roll, for a store is a person's to
// judge.
func (l *lister) syncedElsewhere(ctx context.Context, health *vaultapi.HealthResponse) error {
	if health == nil || !strings.Contains(health.Version, "+ent") {
		return nil
	}
	got, err := l.vault.API().Logical().ListWithContext(ctx, syncPlace)
	reply, answered := vault.ReplyIn(err)
	what := "Vault pushes secrets to other stores (secrets sync), and each new value with them"
	switch {
	case err != nil && !answered:
		return vaultError("list", syncPlace, err)
	case answered && (reply.Status == http.StatusNotFound || reply.Says("activat")):
		return nil // there is none, or nobody has switched it on
	case answered:
		what = "whether Vault pushes secrets to other stores (secrets sync), and each new value with them, is not shown to this login (list on " + syncPlace + ")"
	case got == nil || len(keys(got)) == 0 && vault.Integer(got.Data["total_associations"]) == 0 && vault.Integer(got.Data["total_secrets"]) == 0:
		return nil
	}
	if reason, ok := l.acceptedPlace(syncPlace); ok {
		l.warn(credential.FindingAccepted, "%s, which the campaign file accepts: %s", credential.FindingSynced, reason)
		return nil
	}
	l.warn(credential.FindingSynced, "%s: look at each association and destination (vault list %s), end what nobody knows, then accept it: %s%s", what, syncPlace, paste.Entry("accept", "vault", syncPlace, "on", "TIME"), l.outdated(syncPlace))
	return nil
}

// otherClusters warns where Vault is one of several clusters of performance
// replication (Vault Enterprise). They share secrets, policies and auth mounts;
// tokens, and secret-ids of a role with local_secret_ids, are each cluster's
// own. A device logs in at the cluster next to it, so what was minted there is
// neither seen from here nor ended, and reads each new value. health is nil
// where Vault does not say.
func (l *lister) otherClusters(ctx context.Context, roll *credential.Roll, health *vaultapi.HealthResponse) error {
	if !slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool {
		return c.Kind.OpensVault() || c.Kind.OnlyEnds() || len(c.Logins) > 0
	}) {
		return nil
	}
	is := "this Vault is one of several clusters"
	if health == nil {
		is = "whether this Vault is one of several clusters it does not say (sys/health is refused): if it is one"
		health = &vaultapi.HealthResponse{ReplicationPerformanceMode: "not shown"}
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
