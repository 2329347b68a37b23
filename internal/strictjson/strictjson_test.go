package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestObjectAccepts(t *testing.T) {
	for _, tc := range []struct {
		text string
		want map[string]any
	}{
		{`{}`, map[string]any{}},
		{" {\t\"a\" :\n[ ] }\r", map[string]any{"a": []any{}}},
		{`{"n":[0,-0,12,-7,1.5,1e3,2E-1,9223372036854775807,9223372036854775808]}`,
			map[string]any{"n": []any{int64(0), int64(0), int64(12), int64(-7), 1.5, 1e3, 0.2, int64(1<<63 - 1), 9.223372036854775808e18}}},
		{`{"a b": 1E+2, "c":"d \n e"}`, map[string]any{"a b": 1e2, "c": "d \n e"}},
		{`{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"}`, map[string]any{"s": "a\"\\/\b\f\n\r\té😀é"}},
		{`{"t":true,"f":false,"z":null,"o":{"o":{}}}`,
			map[string]any{"t": true, "f": false, "z": nil, "o": map[string]any{"o": map[string]any{}}}},
	} {
		got, err := Object([]byte(tc.text))
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
		} else if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %#v, want %#v", tc.text, got, tc.want)
		}
		for end := range strings.TrimSpace(tc.text) {
			if got, err := Object([]byte(tc.text[:end])); err == nil {
				t.Errorf("%s: %s of it was read as %v", tc.text, tc.text[:end], got)
			}
		}
	}
}

func TestObjectDepth(t *testing.T) {
	for name, nested := range map[string]func(deep int) string{
		"objects": func(deep int) string { return strings.Repeat(`{"a":`, deep-1) + `{}` + strings.Repeat(`}`, deep-1) },
		"arrays": func(deep int) string {
			return `{"a":` + strings.Repeat(`[`, deep-1) + strings.Repeat(`]`, deep-1) + `}`
		},
	} {
		if _, err := Object([]byte(nested(maxDepth))); err != nil {
			t.Errorf("%s: %d deep: %v", name, maxDepth, err)
		}
		if _, err := Object([]byte(nested(maxDepth + 1))); err == nil {
			t.Errorf("%s: %d deep was accepted", name, maxDepth+1)
		}
	}
}

func TestObjectRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"JWT-7 repeated name":            `{"sub":"a","sub":"b"}`,
		"JWT-7 repeated name by escape":  `{"sub":"a","s\u0075b":"b"}`,
		"JWT-7 repeated name inside":     `{"a":{"b":1,"b":2}}`,
		"JWT-7 repeated name, no end":    `{"sub":"a","sub":"b"`,
		"JWT-10 NaN":                     `{"exp":NaN}`,
		"JWT-10 infinity":                `{"exp":Infinity}`,
		"JWT-10 overflow":                `{"exp":1e400}`,
		"empty":                          ``,
		"array":                          `[]`,
		"begun as an array":              `["a":1}`,
		"no name":                        `{:1}`,
		"name without its first quote":   `{'a":1}`,
		"text after":                     `{} {}`,
		"trailing comma":                 `{"a":1,}`,
		"trailing comma in array":        `{"a":[1,]}`,
		"single quotes":                  `{'a':1}`,
		"bare name":                      `{a:1}`,
		"comment":                        `{/**/"a":1}`,
		"leading zero":                   `{"a":01}`,
		"plus":                           `{"a":+1}`,
		"no fraction":                    `{"a":1.}`,
		"no exponent":                    `{"a":1e}`,
		"minus alone":                    `{"a":-}`,
		"hexadecimal":                    `{"a":0x1}`,
		"control character":              "{\"a\":\"\n\"}",
		"control character after escape": "{\"a\":\"\\n\x01\"}",
		"line break for a quote":         "{\"a\":\"b\n}",
		"the same after an escape":       "{\"a\":\"\\n\n}",
		"lone high surrogate":            `{"a":"\ud800"}`,
		"lone surrogate for a quote":     `{"a":"\ud800}`,
		"pair of two kinds of escapes":   `{"a":"\ud83d\nde00"}`,
		"lone low surrogate":             `{"a":"\udc00"}`,
		"two high surrogates":            `{"a":"\ud800\ud800"}`,
		"short escape":                   `{"a":"\u12"}`,
		"escape without digits":          `{"a":"\u"}`,
		"escape with no digits":          `{"a":"\u12x4"}`,
		"control characters for digits":  "{\"a\":\"\\u\x10\x10\x10\x10\"}",
		"unknown escape":                 `{"a":"\x"}`,
		"unknown escape for a quote":     `{"a":"\}`,
		"brace for a bracket":            `{"a":[1}`,
		"brace for an element":           `{"a":[}`,
		"no end":                         `{"a":"b`,
		"no end after escape":            `{"a":"b\n`,
		"not UTF-8":                      "{\"a\":\"\xff\"}",
		"byte order mark":                "\ufeff{}",
		"no colon":                       `{"a" 1}`,
		"no comma":                       `{"a":1 "b":2}`,
		"no comma in array":              `{"a":[1 2]}`,
		"truncated word":                 `{"a":tru}`,
	} {
		if got, err := Object([]byte(text)); err == nil {
			t.Errorf("%s: %s was read as %v", name, text, got)
		}
		if _, err := Members(text, func(string) (bool, error) { return false, nil }); err == nil {
			t.Errorf("%s: %s was skipped", name, text)
		}
	}
}

// FuzzObject holds the decoder against encoding/json: what it accepts, the
// other must accept and read alike.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,2.5,"x\u00e9",null,true,{"b":{}}]}`, `{"a":1,"a":2}`, `{"exp":1e10}`, `{"s":"\ud83d\ude00"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Object(data)
		picked, pickErr := Members(string(data), func(name string) (bool, error) { return name == "a", nil })
		if (err == nil) != (pickErr == nil) {
			t.Fatalf("Object: %v, Members: %v", err, pickErr)
		}
		if err != nil {
			return
		}
		if value, present := got["a"]; len(picked) > 1 || present != (len(picked) == 1) || !reflect.DeepEqual(value, picked["a"]) {
			t.Fatalf("picked %v of %v", picked, got)
		}
		var want map[string]any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if got := asFloats(got); !reflect.DeepEqual(got, any(want)) {
			t.Fatalf("got %#v, encoding/json %#v", got, want)
		}
	})
}

// asFloats turns integers into what encoding/json makes of them.
func asFloats(value any) any {
	switch v := value.(type) {
	case int64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = asFloats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = asFloats(v[name])
		}
	}
	return value
}

func BenchmarkObject(b *testing.B) {
	claims := []byte(`{"iss":"https://idp.example.com","sub":"248289761001","aud":["https://api.example.com"],"exp":1000003600,"iat":1000000000,"jti":"8a7e","scope":"read write","realm_access":{"roles":["user","operator"]},"name":"Jane Doe","email":"jane@example.com"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Object(claims); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzPruned compares Pruned with Value: it refuses the same, and decodes the same of
// what is in the shape.
func FuzzPruned(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":{"c":[1,2,{"d":1}],"e":"x\u00e9\n"},"f":1e400}`, `[{"a":"x","z":{"a":1,"a":2}}]`, `{"z":[1e999]}`, `{"b":{"c":1,"q":"\ud800"}}`,
		`{"a":1,"a":2}`, `{"z":1,"z":2}`, `{"z":["1","2",]}`, `{"z":{"1":"2","3","4":5}}`, `{"z":["1","2" ,"3\\n","4"]}`, `[[[]]]`, `"a"`, `{"z":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, `{"z":-0.5E+3,"y":01}`,
		`{"z":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"11":1,"12":1,"13":1,"14":1,"15":1,"16":1,"17":1,"18":1,"17":1}}`,
		"{\"z\":\"12345678\x01\"}", `{"z":"1234567\\8"}`, `{"a" : tru}`, `{} x`,
	} {
		f.Add([]byte(seed))
	}
	shape := Shape{"a": nil, "b": {"c": nil}}
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := Value(data)
		some, prunedErr := Pruned(string(data), shape)
		if (err == nil) != (prunedErr == nil) {
			t.Fatalf("Value: %v, Pruned: %v", err, prunedErr)
		}
		if err == nil && !reflect.DeepEqual(prune(whole, shape), some) {
			t.Errorf("got %v of %v", some, whole)
		}
	})
}

// prune does to a value what Pruned does while it reads.
func prune(value any, shape Shape) any {
	if len(shape) == 0 {
		return value
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if of, decoded := shape[name]; decoded {
				value[name] = prune(member, of)
			} else {
				value[name] = Skipped{}
			}
		}
	case []any:
		for i, element := range value {
			value[i] = prune(element, shape)
		}
	}
	return value
}

func BenchmarkPruned(b *testing.B) {
	body := `{"jsonrpc":"2.0","id":1,"params":{"lines":["` + strings.Repeat(`some text of a line","`, 380) + `"]}}`
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Pruned(body, Shape{"id": nil}); err != nil {
			b.Fatal(err)
		}
	}
}
