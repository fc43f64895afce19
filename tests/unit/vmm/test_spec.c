/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/vmm/spec.h"

static void test_get(void **state)
{
	static const struct {
		const char *spec;
		const char *key;
		const char *value; /* NULL: not there */
	} cases[] = {
		{"size=512M,shared=on", "size", "512M"},
		{"size=512M,shared=on", "shared", "on"},
		{"size=512M,shared=on", "share", NULL},
		{"size=512M,shared=on", "on", NULL},
		{"size=1,size=2", "size", "2"},
		{"a=[1,size=9],size=3", "size", "3"},
		{"a=[[1,2],[size=9,3]]", "size", NULL},
		{"cmdline=\"x,size=9\",b=c", "size", NULL},
		{"cmdline=\"x,size=9\",b=c", "cmdline", "x,size=9"},
		{"a=b=c", "a", "b=c"},
		{"a= b ", "a", "b"},
		{" a=b", "a", "b"},
		{"a=", "a", NULL},
		{"a", "a", NULL},
		{"", "a", NULL},
		{",,a=1,", "a", "1"},
		{"\"a\"=1", "a", "1"},
	};
	char value[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = spec_get(cases[i].spec, cases[i].key, value, sizeof(value));

		assert_int_equal(r, cases[i].value ? 0 : -ENOENT);
		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
	}
}

static void test_get_too_long(void **state)
{
	char value[4] = "old";

	assert_int_equal(spec_get("a=1234", "a", value, sizeof(value)), -ENOSPC);
	assert_string_equal(value, "old");
	assert_int_equal(spec_get("a=\"123\"", "a", value, sizeof(value)), 0);
	assert_string_equal(value, "123");
}

static void test_has(void **state)
{
	assert_true(spec_has("a,b=1", "a"));
	assert_true(spec_has("a,b=1", "b"));
	assert_true(spec_has("b=", "b"));
	assert_false(spec_has("ab=1", "a"));
	assert_false(spec_has("", "a"));
}

static void test_is_on(void **state)
{
	static const char *const on[] = {"s=on", "s=true", "s=ON", "s=off,s=on"};
	static const char *const off[] = {"s=off", "s=1", "s", "s=on,s=off", "t=on", "s=on_and_on"};

	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		assert_true(spec_is_on(on[i], "s"));
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		assert_false(spec_is_on(off[i], "s"));
}

static void test_get_number(void **state)
{
	static const char *const bad[] = {
		"n=x", "n=-1", "n=1x", "n=4294967296", "n=0x10", "n=99999999999999999999999999"};
	uint32_t number = 7;

	assert_int_equal(spec_get_number("m=1", "n", &number), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(spec_get_number(bad[i], "n", &number), -EINVAL);
	assert_int_equal(number, 7);
	assert_int_equal(spec_get_number("n=4294967295", "n", &number), 0);
	assert_int_equal(number, UINT32_MAX);
}

static void test_is_balanced(void **state)
{
	static const char *const good[] = {"", "a", "a=[1,[2]],b=\"[x\"\"]\"", ",,"};
	static const char *const bad[] = {"a=[1", "a=1]", "a=\"", "a=[,b=1", "a=],b=["};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(spec_is_balanced(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(spec_is_balanced(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_get_too_long),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_is_on),
		cmocka_unit_test(test_get_number),
		cmocka_unit_test(test_is_balanced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
