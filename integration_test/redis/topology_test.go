//go:build redis

package redis

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/redis"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

// rights are all that the store needs; docs/several-instances.md shows them.
const rights = "~caddy-auth:* ~{caddy-auth:marks}:* +set +pexpire +multi +exec +eval +evalsha +hscan +zcount +zcard +zscore " +
	"+xread +xrevrange +time +zrangebyscore +zremrangebyscore +zrange +zrevrange +zrem +zadd +hget +hset +hdel +hlen +xadd +pexpireat"

func TestRightsAreDocumented(t *testing.T) {
	for right := range strings.FieldsSeq(rights) {
		if !strings.Contains(strings.Join(strings.Fields(readFile(t, "../../docs/several-instances.md")), " "), right) {
			t.Errorf("%s is not there", right)
		}
	}
}

// TestTLS has a server that wants a certificate, a user and a password, and
// grants that user nothing but what the store needs.
func TestTLS(t *testing.T) {
	files := makeCertificates(t)
	port := freePort(t)
	startRedis(t, append(strings.Fields("--user default off --user caddy on >a-password-for-tests "+rights),
		"--tls-port", port, "--tls-ca-cert-file", files.ca, "--tls-cert-file", files.server, "--tls-key-file", files.serverKey)...)
	config := redis.Redis{
		Addresses: []string{"rediss://localhost:" + port}, User: "caddy", Password: "a-password-for-tests",
		TLS: &redis.TLS{CAFile: files.ca, ClientCert: files.client, ClientKey: files.clientKey},
	}
	storetest.Run(t, members(t, config)...)
}

func TestCluster(t *testing.T) {
	nodes := make([]*server, 3)
	for n := range nodes {
		nodes[n] = startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
	}
	first := nodes[0].client()
	defer first.Close()
	for n, slots := range [][2]int{{0, 5461}, {5462, 10922}, {10923, 16383}} {
		node := nodes[n].client()
		defer node.Close()
		if err := node.ClusterAddSlotsRange(t.Context(), slots[0], slots[1]).Err(); err != nil {
			t.Fatal(err)
		}
		if err := first.ClusterMeet(t.Context(), "127.0.0.1", nodes[n].port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, each := range nodes {
		node := each.client()
		defer node.Close()
		harness.Eventually(t, "the nodes know each other", func() bool {
			return strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok") &&
				strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_known_nodes:3")
		})
	}
	config := redis.Redis{Addresses: []string{nodes[0].address(), nodes[1].address()}, Cluster: true}
	all := members(t, config)
	storetest.Run(t, all...)
	t.Run("keys are on all nodes", func(t *testing.T) {
		for range 30 {
			if _, err := all[0].First(t.Context(), store.KeyOf(t.Name(), time.Now().String()), store.KeyOf("proof"), time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
		}
		for _, each := range nodes {
			node := each.client()
			defer node.Close()
			if node.DBSize(t.Context()).Val() == 0 {
				t.Error("a node has none")
			}
		}
	})
}

// TestSentinel has a master that dies: its replica takes over.
func TestSentinel(t *testing.T) {
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+master.port, "--replica-priority", "1")
	configuration := filepath.Join(t.TempDir(), "sentinel.conf")
	writeFile(t, configuration, "sentinel monitor main 127.0.0.1 "+master.port+" 1\n"+
		"sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n")
	sentinel := startSentinel(t, configuration)
	sentinels := client.NewSentinelClient(&client.Options{Addr: sentinel.address()})
	defer sentinels.Close()
	harness.Eventually(t, "the sentinel knows the replica", func() bool {
		replicas, err := sentinels.Replicas(t.Context(), "main").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
	all := members(t, redis.Redis{Addresses: []string{sentinel.address()}, Sentinel: &redis.Sentinel{Master: "main"}})
	storetest.Run(t, all...)

	before := store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf("before"), Until: time.Now().Add(time.Hour)}
	if err := all[0].Publish(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	master.stop()
	healthy := all[0].(store.Health)
	harness.Eventually(t, "it is noticed", func() bool { return !healthy.Healthy() })
	for _, each := range all {
		healthy := each.(store.Health)
		harness.Eventually(t, "the replica has taken over", healthy.Healthy)
	}
	after := store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf("after"), Until: time.Now().Add(time.Hour)}
	if err := all[0].Publish(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	node := replica.client()
	defer node.Close()
	if got := node.HLen(t.Context(), "{caddy-auth:marks}:revoked").Val(); got < 2 {
		t.Errorf("the replica has %d revocations", got)
	}
	for _, each := range all {
		for _, position := range []store.Entry{before, after} {
			harness.Eventually(t, "all know", func() bool { _, found := each.Lookup(position.Kind, position.Key); return found })
		}
	}
}
