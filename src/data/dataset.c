/* SPDX-License-Identifier: MIT */
typedef int sm_data_dataset_pending;
