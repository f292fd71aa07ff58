_base_ = [
    '../_base_/models/vitas_supernet.py',
    '../_base_/datasets/vitas_in1k_supernet.py',
    '../_base_/schedules/adamw_coslr_300e.py',
    '../_base_/default_runtime.py',
]

val_evaluator = dict(_delete_=True, type='SideAccuracy', topk=(1, 5))
# A step's path uses only some of the parameters.
model_wrapper_cfg = dict(find_unused_parameters=True)

# The search's held-out images (make_label_split.py writes the list once).
train_dataloader = dict(
    dataset=dict(without_split='data/label_splits/in1k_heldout.txt'),
)
