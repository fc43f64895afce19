/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cloud Hypervisor's command line: any words, one for each line of the input. What is read is then
 * built, and what was built is read again: it must leave no device to us, hold each device of ours
 * once, and, for vhost-user, no memory that is private.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/vmm/cloud_hypervisor.h"
#include "control/vmm/spec.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words of `arguments` that contain `text`. */
static size_t count_words(const struct arguments *arguments, const char *text)
{
	size_t count = 0;

	for (size_t i = 0; i < arguments->count; i++)
		count += strstr(arguments->words[i], text) != NULL;
	return count;
}

static void check(
	int count, char *words[], const struct cloud_hypervisor_request *request, bool tap)
{
	struct cloud_hypervisor_link links[CLOUD_HYPERVISOR_NICS_MAX] = {0};
	struct cloud_hypervisor_request again;
	struct arguments built = {0}, twice = {0};
	char error[CLOUD_HYPERVISOR_ERROR_SIZE];
	char name[] = "/fuzzed-by-us";

	for (size_t i = 0; i < CLOUD_HYPERVISOR_NICS_MAX; i++) {
		links[i].socket = tap ? NULL : name;
		links[i].tap = name;
	}
	cloud_hypervisor_build(count, words, links, &built);
	if (built.failed || built.count < (size_t)count)
		abort();
	if (count_words(&built, name) < request->nic_count)
		abort();
	/* Nothing is left to us: a second building adds one device, of its own. */
	if (cloud_hypervisor_read((int)built.count, built.words, &again, error) < 0 ||
		again.nic_count != 1)
		abort();
	cloud_hypervisor_build((int)built.count, built.words, links, &twice);
	if (count_words(&twice, name) != count_words(&built, name) + 1)
		abort();
	arguments_fini(&built);
	arguments_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cloud_hypervisor_request request;
	char error[CLOUD_HYPERVISOR_ERROR_SIZE], *saved, *words[WORDS_MAX];
	char *text = strndup((const char *)data, size);
	int count = 0;

	if (!text)
		return 0;
	for (char *word = strtok_r(text, "\n", &saved); word && count < WORDS_MAX;
		word = strtok_r(NULL, "\n", &saved))
		words[count++] = word;
	if (cloud_hypervisor_read(count, words, &request, error) == 0) {
		if (request.nic_count < 1 || request.nic_count > CLOUD_HYPERVISOR_NICS_MAX)
			abort();
		cloud_hypervisor_check_vhost_user(count, words, error);
		check(count, words, &request, false);
		check(count, words, &request, true);
	} else if (!*error || strchr(error, '\0') >= error + sizeof(error)) {
		abort();
	}
	free(text);
	return 0;
}
