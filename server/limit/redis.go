package limit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/redact"
)

// Redis is a destination.Limiter that counts in a Redis (6 or newer, or what
// speaks as it does), for all replicas together: the same buckets as Memory's,
// by Redis's own clock, each gone by itself once it is full again.
type Redis struct {
	client *redis.Client
}

// redisTimeout bounds one count with its connecting: a page is waiting.
const redisTimeout = 2 * time.Second

// NewRedis answers an error where the URL (redis://, rediss:// or unix://) is
// malformed. It connects at the first count. username and password may be "".
func NewRedis(url, username, password string) (*Redis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("the Redis at %s: %w", redact.URL(url), redact.Error(err))
	}
	o.Username, o.Password = username, password
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisTimeout, redisTimeout, redisTimeout, redisTimeout
	o.MaxRetries = 1 // a connection that ended meanwhile
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	return &Redis{redis.NewClient(o)}, nil
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }

// take is the generic cell rate algorithm, which is a token bucket in one
// number: until when the tokens that were taken are paid for, in microseconds.
// It answers 0 where it has counted, or else how many to wait.
var take = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + interval
local wait = math.ceil(paid - burst - now)
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.3f', paid), 'PX', math.max(math.ceil((paid - now) / 1000), 1))
return 0
`)

// Take implements destination.Limiter.
func (r *Redis) Take(ctx context.Context, key destination.LimitKey, rate destination.Rate) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	per := float64(rate.Per.Microseconds())
	wait, err := take.Run(ctx, r.client, []string{name(key)}, per/float64(rate.Count), per).Int64()
	if err != nil {
		return 0, fmt.Errorf("counting in Redis: %w", err)
	}
	return time.Duration(wait) * time.Microsecond, nil
}

// name is a key's. Who it is stands there as a hash: Redis has no need to know
// people, and some have long names.
func name(key destination.LimitKey) string {
	who := sha256.Sum256([]byte(key.Who))
	return "chunksign:rate:" + key.Destination + ":" + key.What + ":" + base64.RawURLEncoding.EncodeToString(who[:])
}
